-- The full-text index. It has no copy of the texts (content=''): what it has to forget, it is told word by word.
-- Its rowid is the entry's key. The column "room" holds one word, r<key of the room>.

CREATE VIRTUAL TABLE search USING fts5 (
    room,
    text,
    content = '',
    columnsize = 0,
    prefix = '2 3',
    tokenize = 'unicode61 remove_diacritics 2'
);

-- What is deleted leaves the index at once, instead of being outweighed by a later segment.
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);

-- Up to where each room is indexed. Every message up to here is in the index as it is now, none behind it is.
CREATE TABLE search_cursors (
    room INTEGER PRIMARY KEY REFERENCES rooms (key),
    indexed INTEGER NOT NULL
) STRICT;
