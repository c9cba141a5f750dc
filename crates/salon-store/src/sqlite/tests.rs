//! What only this store can do: survive, fail, and share its file.
