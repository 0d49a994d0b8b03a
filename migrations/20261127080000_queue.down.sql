-- Labels are not touched: what they came from was never taken away.
DROP TABLE queue_priorities;
CREATE INDEX claims_open ON claims (project_id, annotator_id) WHERE released_at IS NULL AND done_at IS NULL;
DROP INDEX claims_in_hand;
ALTER TABLE annotators DROP COLUMN photos_done;
DROP TABLE queue_places;
DROP INDEX tasks_reopened;
ALTER TABLE tasks DROP COLUMN reopened, DROP CONSTRAINT tasks_priority_check;
DROP FUNCTION photo_overlap;
ALTER TABLE projects DROP COLUMN overlap_share, DROP COLUMN extra_votes, DROP COLUMN queue_order,
    DROP COLUMN queue_pending, DROP COLUMN queue_epoch;
