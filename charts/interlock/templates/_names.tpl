{{/* The image of a part: by digest if there is one. Takes the part's values and the root. */}}
{{- define "interlock.image" -}}
{{- $image := .part.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "interlock.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/part-of: interlock
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* Nobody needs more than this; a namespace that enforces the Pod Security Standard `restricted` admits it. */}}
{{- define "interlock.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "interlock.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "interlock.operatorReplicas" -}}
{{- .Values.operator.replicas | default (ternary 2 1 (ne .Values.operator.archive.secretName "")) -}}
{{- end -}}

{{/* What only makes sense together is refused here, in words. */}}
{{- define "interlock.check" -}}
{{- if ne .Release.Namespace "interlock-system" -}}
{{- fail "install into the namespace interlock-system: the policies know the operator by it (--namespace interlock-system)" -}}
{{- end -}}
{{- $operator := .Values.operator -}}
{{- $many := or (gt (include "interlock.operatorReplicas" . | int) 1) (gt (len $operator.shards) 1) -}}
{{- if and $operator.enabled $many (not (and $operator.archive.secretName $operator.keys.secretName)) -}}
{{- fail "more than one operator needs one archive and one set of keys: set operator.archive.secretName and operator.keys.secretName" -}}
{{- end -}}
{{- end -}}
