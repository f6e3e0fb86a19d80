internal import Database

extension RegistryStore {
    static let schema = "registry"

    static let migrations = [
        Migration(
            "pods, their states over time, runners, events to send",
            """
            CREATE TABLE pods (
                pod text PRIMARY KEY,
                name text NOT NULL,
                spec jsonb NOT NULL,
                author text NOT NULL,
                created timestamptz NOT NULL,
                imported boolean NOT NULL DEFAULT false,
                resumed_from text,
                idempotency_key text,
                -- What was asked for, to tell a repeated request from another one under the same key.
                request_digest text,
                -- The newest state, and what of it is searched for.
                lifecycle text NOT NULL,
                is_live boolean NOT NULL,
                runner text,
                state jsonb NOT NULL,
                since timestamptz NOT NULL
            );
            CREATE UNIQUE INDEX pods_live_name ON pods (name) WHERE is_live;
            CREATE UNIQUE INDEX pods_key ON pods (author, idempotency_key) WHERE idempotency_key IS NOT NULL;
            CREATE INDEX pods_name ON pods (name, created DESC);
            CREATE INDEX pods_created ON pods (created DESC, pod DESC);
            CREATE INDEX pods_live ON pods (runner) WHERE is_live;

            -- Every state with the time in which it held.
            CREATE TABLE pod_states (
                pod text NOT NULL REFERENCES pods ON DELETE CASCADE,
                valid tstzrange NOT NULL,
                state jsonb NOT NULL
            );
            CREATE INDEX pod_states_valid ON pod_states USING gist (valid);
            CREATE INDEX pod_states_pod ON pod_states (pod, lower(valid));

            -- What the detector said, with the time in which it held.
            CREATE TABLE statuses (
                pod text NOT NULL,
                valid tstzrange NOT NULL,
                status text NOT NULL,
                reason text,
                seq bigint NOT NULL,
                evidence text
            );
            CREATE INDEX statuses_pod ON statuses (pod, lower(valid));
            CREATE UNIQUE INDEX statuses_current ON statuses (pod) WHERE upper_inf(valid);

            CREATE TABLE runners (
                runner text PRIMARY KEY,
                host text NOT NULL,
                version text NOT NULL,
                first_seen timestamptz NOT NULL,
                last_beat timestamptz NOT NULL,
                clock_offset bigint NOT NULL DEFAULT 0,
                is_online boolean NOT NULL
            );

            -- Events are written with what they tell of, and sent afterwards: none is lost, none is told that did not happen.
            CREATE TABLE outbox (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                subject text NOT NULL,
                message_id text NOT NULL,
                payload bytea NOT NULL
            );
            """),
        Migration(
            "digests of pods' credentials",
            """
            CREATE TABLE credentials (
                pod text PRIMARY KEY REFERENCES pods ON DELETE CASCADE,
                -- SHA-256 of the whole credential, which itself is only in the pod's environment.
                digest bytea NOT NULL,
                made timestamptz NOT NULL DEFAULT now()
            );
            """),
        Migration(
            "the whole of what a detector says: question, options, fingerprint, confidence",
            """
            ALTER TABLE statuses ADD COLUMN detail jsonb;
            CREATE INDEX statuses_current_status ON statuses (status) WHERE upper_inf(valid);
            """),
        Migration(
            "tokens of people, by their digests",
            """
            CREATE TABLE tokens (
                id text PRIMARY KEY,
                -- SHA-256 of the whole token: 256 random bits need no slow digest.
                digest text NOT NULL UNIQUE,
                name text NOT NULL,
                role text NOT NULL,
                pods text,
                note text,
                created timestamptz NOT NULL,
                created_by text NOT NULL,
                expires timestamptz,
                revoked timestamptz,
                revoked_by text
            );
            """),
        auditMigration,
    ]
}
