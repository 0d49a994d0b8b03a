DROP TABLE review_states, review_suspects;
ALTER TABLE run_predictions DROP COLUMN held_out;
