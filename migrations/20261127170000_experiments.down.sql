DROP TABLE experiments;
DELETE FROM jobs WHERE kind = 'experiment';
ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('import', 'export', 'train', 'predict'));
