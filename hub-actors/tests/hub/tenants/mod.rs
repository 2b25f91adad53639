//! Two organisations in one Hub on PostgreSQL: who may do what, and that a database alone opens
//! nothing.
//!
//! | file | holds |
//! |---|---|
//! | [`cast`] | the people, the same for all tests of a Hub |
//! | [`stage`] | one organisation with a workspace, its shares and a Worker: new for each order |
//! | [`requests`] | a request for each method, such that whoever may is answered |
//! | [`things`] | what only some requests name |
//! | [`table`] | `docs/access.md`, read |
//! | [`matrix`] | every method, asked by everybody |
//! | [`stolen`] | every stored value, tried as a credential |

mod cast;
mod matrix;
mod requests;
mod stage;
mod stolen;
mod table;
mod things;
