-- The tables of the first version, as it made them, with an incident and its alert.
BEGIN TRANSACTION;
CREATE TABLE alerts (
    identity VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    starts_at VARCHAR NOT NULL,
    ends_at VARCHAR,
    labels VARCHAR NOT NULL,
    annotations VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    generator_url VARCHAR NOT NULL,
    received_at VARCHAR NOT NULL,
    incident_id VARCHAR,
    handled BOOLEAN NOT NULL,
    note VARCHAR NOT NULL,
    PRIMARY KEY (identity)
);
INSERT INTO "alerts" VALUES('a','Old','firing','2026-03-01T11:00:00.000Z',NULL,'{"alertname": "Old"}','{}','','','2026-03-01T11:00:00.000Z','inc-abcdef',1,'');
CREATE TABLE evidence (
    incident_id VARCHAR NOT NULL,
    item_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    collected_at VARCHAR NOT NULL,
    digest VARCHAR,
    truncated BOOLEAN NOT NULL,
    content VARCHAR,
    missing VARCHAR NOT NULL,
    PRIMARY KEY (incident_id, item_id)
);
CREATE TABLE executions (
    name VARCHAR NOT NULL,
    namespace VARCHAR NOT NULL,
    incident_id VARCHAR NOT NULL,
    attempt INTEGER NOT NULL,
    handover BOOLEAN NOT NULL,
    runbook VARCHAR NOT NULL,
    parameters VARCHAR NOT NULL,
    body VARCHAR NOT NULL,
    created BOOLEAN NOT NULL,
    phase VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    ended BOOLEAN NOT NULL,
    updated_at VARCHAR NOT NULL,
    PRIMARY KEY (name, namespace)
);
CREATE TABLE findings (
    incident_id VARCHAR NOT NULL,
    rank INTEGER NOT NULL,
    cause VARCHAR NOT NULL,
    confidence FLOAT NOT NULL,
    content VARCHAR NOT NULL,
    PRIMARY KEY (incident_id, rank)
);
CREATE TABLE incidents (
    id VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    target_kind VARCHAR NOT NULL,
    target_namespace VARCHAR,
    target_name VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    severity VARCHAR NOT NULL,
    opened_at VARCHAR NOT NULL,
    updated_at VARCHAR NOT NULL,
    closed_at VARCHAR,
    next_at VARCHAR,
    reason VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    looks INTEGER NOT NULL,
    verdict VARCHAR NOT NULL,
    confidence FLOAT,
    diagnosis VARCHAR NOT NULL,
    PRIMARY KEY (id)
);
INSERT INTO "incidents" VALUES('inc-abcdef','open','Deployment','shop','checkout','Old','','2026-03-01T11:00:00.000Z','2026-03-01T11:00:00.000Z',NULL,'2026-03-01T11:00:00.000Z','',0,0,'',NULL,'');
CREATE TABLE timeline (
    id INTEGER NOT NULL,
    incident_id VARCHAR NOT NULL,
    at VARCHAR NOT NULL,
    event VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE truncated_deliveries (
    id INTEGER NOT NULL,
    received_at VARCHAR NOT NULL,
    group_key VARCHAR NOT NULL,
    alerts INTEGER NOT NULL,
    truncated INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_alerts_incident_id ON alerts (incident_id);
CREATE INDEX ix_alerts_handled ON alerts (handled);
CREATE INDEX ix_incidents_state ON incidents (state);
CREATE INDEX ix_incidents_next_at ON incidents (next_at);
CREATE INDEX ix_incidents_closed_at ON incidents (closed_at);
CREATE INDEX ix_timeline_incident_id ON timeline (incident_id);
CREATE INDEX ix_executions_incident_id ON executions (incident_id);
CREATE INDEX ix_executions_ended ON executions (ended);
COMMIT;
