-- As imported: all photos are alike, and the first comes first. $1 project.
INSERT INTO queue_priorities (project_id, photo_id, priority)
SELECT project_id, photo_id, 0 FROM tasks WHERE project_id = $1 AND priority <> 0
