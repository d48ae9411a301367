{{/* What both parts may reach: names, the API server, Prometheus, PostgreSQL. Takes what is to be asked, and the root. */}}
{{- define "interlock.egress" -}}
{{- $policy := .root.Values.networkPolicy -}}
- to: [{namespaceSelector: {}}]
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
- to:
    {{- range $policy.apiServer.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    {{- range $policy.apiServer.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- if .prometheus }}
- to: {{- toYaml $policy.prometheus.to | nindent 4 }}
  ports: [{protocol: TCP, port: {{ $policy.prometheus.port }}}]
{{- end }}
{{- if .postgres }}
- to: {{- toYaml $policy.postgres.to | nindent 4 }}
  ports: [{protocol: TCP, port: {{ $policy.postgres.port }}}]
{{- end }}
{{- end -}}
