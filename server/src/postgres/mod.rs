//! A PostgreSQL of one's own in the data folder, for those who run no server.
//!
//! [`Cluster::enter`] finds the server's programs ([`find`]), or downloads them ([`download`]), makes the cluster once,
//! starts it in a session of its own and hands out its address; [`Cluster::leave`] stops it when nobody else uses it.
//! PostgreSQL refuses to run as root, so that root runs it as another user ([`user`]).
//!
//! ```text
//! DATA/postgres/data        the cluster (PGDATA)
//! DATA/postgres/run         the socket's folder, mode 0700
//! DATA/postgres/password    the superuser's password, mode 0600
//! DATA/postgres/gate.lock   held exclusively while somebody starts or stops the cluster
//! DATA/postgres/users.lock  held shared by every process that uses it: the last one out stops it
//! DATA/postgres/server.log  what PostgreSQL says
//! ```

pub mod cluster;
pub mod download;
pub mod find;
pub mod folder;
pub mod lock;
pub mod postmaster;
pub mod user;

pub use cluster::Cluster;
