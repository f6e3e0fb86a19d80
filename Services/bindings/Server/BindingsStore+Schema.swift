internal import Database

extension BindingsStore {
    static let schema = "bindings"

    static let migrations = [
        Migration(
            "bindings, waits and what needs a person, with their history; events to send",
            """
            -- Every change locks this row, counts, and takes its time from it: changes have one order, and no two the same time.
            CREATE TABLE clock (
                single boolean PRIMARY KEY DEFAULT true CHECK (single),
                seq bigint NOT NULL,
                time timestamptz NOT NULL
            );
            INSERT INTO clock (seq, time) VALUES (0, 'epoch');

            -- The newest state of each binding, wait and attention item.
            CREATE TABLE records (
                kind text NOT NULL,
                id text NOT NULL,
                -- Of the present: a pending or active binding, a wait without outcome.
                is_open boolean NOT NULL,
                -- The pods it concerns.
                pods text[] NOT NULL,
                -- One open record of a kind may have it.
                unique_key text,
                -- When time changes it by itself.
                due timestamptz,
                created timestamptz NOT NULL,
                state jsonb NOT NULL,
                PRIMARY KEY (kind, id)
            );
            CREATE INDEX records_pods ON records USING gin (pods) WHERE is_open;
            CREATE INDEX records_due ON records (due) WHERE is_open AND due IS NOT NULL;
            CREATE INDEX records_open ON records (kind, created) WHERE is_open;
            CREATE UNIQUE INDEX records_unique ON records (kind, unique_key) WHERE is_open AND unique_key IS NOT NULL;

            -- Every state with the time in which it held.
            CREATE TABLE record_states (
                kind text NOT NULL,
                id text NOT NULL,
                valid tstzrange NOT NULL,
                seq bigint NOT NULL,
                is_open boolean NOT NULL,
                created timestamptz NOT NULL,
                state jsonb NOT NULL
            );
            CREATE INDEX record_states_valid ON record_states USING gist (valid) WHERE is_open;
            CREATE UNIQUE INDEX record_states_current ON record_states (kind, id) WHERE upper_inf(valid);
            CREATE INDEX record_states_seq ON record_states (lower(valid), seq);

            -- By pod; of the whole mesh under the empty name.
            CREATE TABLE policies (
                pod text PRIMARY KEY,
                policy text NOT NULL
            );

            -- Events are written with what they tell of, and sent afterwards: none is lost, none is told that did not happen.
            CREATE TABLE outbox (
                id bigint PRIMARY KEY,
                subject text NOT NULL,
                message_id text NOT NULL,
                payload bytea NOT NULL
            );
            """)
    ]
}
