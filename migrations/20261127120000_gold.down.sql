-- Labels are not touched. Claims without a slot end: answers to gold photos stay, as labels of their own.
DROP TABLE doubted_labels, annotator_doubts, quiz_answers, quiz_photos, quizzes, gold_answers;
UPDATE claims SET released_at = coalesce(released_at, now()), slot = 1 WHERE slot IS NULL;
ALTER TABLE claims DROP CONSTRAINT claims_gold_has_no_slot, DROP COLUMN gold, ALTER COLUMN slot SET NOT NULL;
DROP INDEX labels_gold;
ALTER TABLE labels DROP COLUMN gold;
ALTER TABLE annotators DROP COLUMN photos_outside, DROP COLUMN gold_from, DROP COLUMN paused_at, DROP COLUMN paused_by,
    DROP COLUMN quiz_excused_at, DROP COLUMN quiz_retries;
ALTER TABLE projects DROP COLUMN gold_rate, DROP COLUMN quiz_length, DROP COLUMN quiz_pass_mark, DROP COLUMN quiz_repeats;
