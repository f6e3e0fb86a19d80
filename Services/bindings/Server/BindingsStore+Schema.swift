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
            """),
        Migration(
            "channels: their messages in order, and what waits for each pod",
            """
            -- What never changes of a message; its receipts are in its record.
            CREATE TABLE messages (
                channel text NOT NULL,
                number bigint NOT NULL,
                id text NOT NULL UNIQUE,
                author text NOT NULL,
                -- Given by the author, so that a message sent twice is posted once.
                post_key text,
                -- The author and those whom it mentions.
                members text[] NOT NULL,
                created timestamptz NOT NULL,
                body text NOT NULL,
                PRIMARY KEY (channel, number)
            );
            CREATE UNIQUE INDEX messages_key ON messages (author, post_key) WHERE post_key IS NOT NULL;
            CREATE INDEX messages_members ON messages USING gin (members);
            CREATE INDEX messages_created ON messages (created);
            CREATE INDEX record_states_of ON record_states (kind, id, lower(valid));

            -- Messages are typed into a pod one after the other, by one instance at a time: the one that holds its lease.
            CREATE TABLE mailboxes (
                pod text PRIMARY KEY,
                is_waiting boolean NOT NULL,
                holder text,
                lease timestamptz,
                -- Not to be tried before, and how often it was in vain.
                next_try timestamptz,
                tries integer NOT NULL DEFAULT 0,
                -- What the pod was told last, for the chain of pods that answer one another.
                told_hops integer,
                told_at timestamptz
            );
            CREATE INDEX mailboxes_waiting ON mailboxes (pod) WHERE is_waiting;
            """),
        Migration(
            "webhooks, and the posts that they are owed",
            """
            CREATE TABLE webhooks (
                id text PRIMARY KEY,
                url text NOT NULL,
                format text NOT NULL,
                -- Needed to sign each post, so it cannot be hashed; nothing tells it.
                secret text,
                kinds text[],
                author text NOT NULL,
                created timestamptz NOT NULL DEFAULT now(),
                last_post timestamptz,
                last_problem text
            );
            CREATE TABLE posts (
                webhook text NOT NULL REFERENCES webhooks ON DELETE CASCADE,
                item text NOT NULL,
                attempts integer NOT NULL DEFAULT 0,
                -- When it is tried next; whoever tries moves it on first, so that nobody else does.
                due timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (webhook, item)
            );
            CREATE INDEX posts_due ON posts (due);
            """),
        Migration(
            "traces: which request a message was posted by, where somebody follows it",
            """
            ALTER TABLE messages ADD COLUMN traceparent text;
            """),
    ]
}
