-- The index as its first version made it.
CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE blobs (
    repository INTEGER NOT NULL REFERENCES repositories,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository, digest)
) WITHOUT ROWID;
CREATE INDEX blobs_by_digest ON blobs (digest);
CREATE TABLE manifests (
    repository INTEGER NOT NULL REFERENCES repositories,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    subject TEXT,
    artifact_type TEXT,
    descriptor TEXT,
    PRIMARY KEY (repository, digest)
);
CREATE INDEX manifests_by_digest ON manifests (digest);
CREATE INDEX referrers ON manifests (repository, subject, digest) WHERE subject IS NOT NULL;
CREATE TABLE tags (
    repository INTEGER NOT NULL REFERENCES repositories,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository, name)
) WITHOUT ROWID;
CREATE INDEX tags_in_order ON tags (repository, name COLLATE NOCASE, name);
CREATE INDEX tags_by_digest ON tags (repository, digest);
PRAGMA user_version=1;
