-- The queue: answers for a share of the photos, extra votes, an order, and a walk that stays short.

-- Which photos get how many answers, and which come first ---------------------------------------------

ALTER TABLE projects
    -- the share of photos that get `overlap` answers; the others get one
    ADD COLUMN overlap_share double precision NOT NULL DEFAULT 1 CHECK (overlap_share BETWEEN 0 AND 1),
    -- how many more answers a photo gets, one at a time, while its answers differ
    ADD COLUMN extra_votes   smallint NOT NULL DEFAULT 0 CHECK (extra_votes BETWEEN 0 AND 5),
    ADD COLUMN queue_order   text NOT NULL DEFAULT 'order'
        CHECK (queue_order IN ('order', 'entropy', 'margin', 'disagreement', 'balance')),
    -- since when the tasks may lag behind the settings above
    ADD COLUMN queue_pending timestamptz,
    -- grows whenever many tasks have changed their places: what annotators remember of the queue ends
    ADD COLUMN queue_epoch   bigint NOT NULL DEFAULT 0;

-- How many answers a photo gets before any extra votes. The golden ratio spreads ids over 0..1 so evenly that every run of
-- photos has its share, and it says the same for a photo each time.
CREATE FUNCTION photo_overlap(photo_id bigint, overlap smallint, share double precision) RETURNS smallint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN ((photo_id & 2147483647) * 2654435769 & 4294967295) / 4294967296.0::double precision < share
                THEN overlap ELSE 1::smallint END
$$;

-- A walk that stays short ----------------------------------------------------------------------------

-- New photos have the priority 0 and must come last: nobody's place in the queue may have passed them.
ALTER TABLE tasks ADD CONSTRAINT tasks_priority_check CHECK (priority >= 0);
-- The last transaction that opened the task again: gave a slot back, or asked for one more answer.
ALTER TABLE tasks ADD COLUMN reopened bigint;
CREATE INDEX tasks_reopened ON tasks (project_id, reopened) WHERE taken < needed AND reopened IS NOT NULL;

-- Where in the queue an annotator is: they have had whatever is open before (priority, photo_id), apart from what
-- transactions from `since` on have opened again. It holds as long as `epoch` is the project's.
CREATE TABLE queue_places (
    annotator_id bigint PRIMARY KEY REFERENCES annotators,
    priority     real NOT NULL,
    photo_id     bigint NOT NULL,
    since        bigint NOT NULL,
    epoch        bigint NOT NULL,
    begun_at     timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Photos that an annotator has finished: counting their claims would take longer with every photo.
ALTER TABLE annotators ADD COLUMN photos_done bigint NOT NULL DEFAULT 0;
UPDATE annotators a SET photos_done = c.done
FROM (SELECT annotator_id, count(*) AS done FROM claims WHERE done_at IS NOT NULL AND released_at IS NULL GROUP BY 1) c
WHERE c.annotator_id = a.id;

-- What an annotator has in hand, in the order in which it is shown: as claims_open, which it replaces.
CREATE INDEX claims_in_hand ON claims (project_id, annotator_id, returned_at, id)
    WHERE released_at IS NULL AND done_at IS NULL;
DROP INDEX claims_open;

-- New priorities on their way to the tasks: computed in one statement, applied in batches. Lost in a crash, made anew.
CREATE UNLOGGED TABLE queue_priorities (
    project_id bigint NOT NULL,
    photo_id   bigint NOT NULL,
    priority   real NOT NULL,
    PRIMARY KEY (project_id, photo_id)
);
