-- Labels are never dropped: this migration is not reversible once a label exists.
DO $$
BEGIN
    IF EXISTS (SELECT FROM labels) THEN
        RAISE EXCEPTION 'labels exist: refusing to drop them';
    END IF;
END $$;
DROP TABLE audit, run_predictions, run_curves, runs, jobs, dataset_items, datasets, claims, tasks, adjudications,
    label_doubts, labels, guideline_examples, guideline_rules, guideline_versions, photo_values, photos, files, priors,
    attribute_values, attributes, annotators, links, memberships, projects, sign_in_throttle, api_tokens, users;
DROP FUNCTION labels_are_append_only;
DROP SCHEMA tower_sessions CASCADE;
