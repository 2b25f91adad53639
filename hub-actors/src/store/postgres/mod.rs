//! PostgreSQL for diesel, over `tokio-postgres` and rustls: no libpq, no OpenSSL.
//!
//! Statements are unnamed and go with their parameters in one message, so a round trip each and
//! nothing that a pooler in transaction mode could lose. Blocking: a connection brings its own
//! small runtime and belongs to one thread at a time. It may not be used inside another runtime's
//! task; [`super::Store`] uses it on threads for blocking work.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the connection as diesel sees it |
//! | [`dsn`] | where to and how: address, TLS, time limits |
//! | [`row`] | what comes back |
//! | [`failure`] | what went wrong, without what was sent |

use std::{future::Future, pin::pin, time::Duration};

use diesel::{
    ConnectionError, ConnectionResult, QueryResult,
    connection::{
        AnsiTransactionManager, CacheSize, Connection as DieselConnection, ConnectionSealed,
        Instrumentation, LoadConnection, SimpleConnection, TransactionManager,
    },
    expression::QueryMetadata,
    internal::derives::multiconnection::MultiConnectionHelper,
    migration::{CREATE_MIGRATIONS_TABLE, MigrationConnection},
    pg::{
        FailedToLookupTypeError, Pg, PgMetadataCacheKey, PgMetadataLookup, PgQueryBuilder,
        PgTypeMetadata,
    },
    query_builder::{
        Query, QueryBuilder as _, QueryFragment, QueryId, bind_collector::RawBytesBindCollector,
    },
    r2d2::R2D2Connection,
    sql_types::TypeMetadata,
};
use futures_util::TryStreamExt as _;
use tokio::runtime::Runtime;
use tokio_postgres::{
    Client,
    types::{IsNull, ToSql, Type, private::BytesMut},
};

pub(crate) mod dsn;
pub(crate) mod failure;
mod row;
#[cfg(test)]
mod tests;

pub use dsn::ConnectError;
pub(crate) use dsn::Settings;
use row::{PostgresRow, Rows};

/// One connection, and the runtime that drives it while somebody waits for an answer.
pub(crate) struct PostgresConnection {
    client: Client,
    /// Taken when this is dropped: a runtime may not be dropped inside a task by itself.
    runtime: Option<Runtime>,
    /// Longest time for one answer, whatever the server says of its own limits.
    patience: Duration,
    transaction: AnsiTransactionManager,
    instrumentation: Option<Box<dyn Instrumentation>>,
    /// A statement of the open transaction failed, so the server will undo it all.
    failed: bool,
    /// Nobody knows how far the conversation got.
    lost: bool,
}

impl PostgresConnection {
    /// Connects as `settings` say, within their time.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says what to look at.
    pub(crate) fn open(settings: &Settings) -> Result<Self, ConnectError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|_| ConnectError::Threads)?;
        let client = match runtime.block_on(settings.connect()) {
            Ok((client, driver)) => {
                // Ends when the connection does, or with the runtime.
                drop(runtime.spawn(driver));
                client
            }
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        Ok(Self {
            client,
            runtime: Some(runtime),
            patience: settings.patience(),
            transaction: AnsiTransactionManager::default(),
            instrumentation: None,
            failed: false,
            lost: false,
        })
    }

    /// Whether the other end is still there, as far as can be told without asking it.
    pub(crate) fn is_alive(&self) -> bool {
        if let Some(runtime) = &self.runtime {
            // Gives the driver a turn: it may have been told of an end meanwhile.
            runtime.block_on(async {
                for _ in 0..2 {
                    tokio::task::yield_now().await;
                }
            });
        }
        !self.lost && !self.client.is_closed()
    }

    /// Begins a transaction; `settings` are statements that hold within it.
    pub(crate) fn begin(&mut self, settings: &str) -> QueryResult<()> {
        let sql = format!("BEGIN ISOLATION LEVEL READ COMMITTED; {settings}");
        let begun = AnsiTransactionManager::begin_transaction_sql(self, &sql);
        if begun.is_err() {
            // The first of the statements may have succeeded; where that cannot be undone, the
            // connection is lost and the pool finds out.
            self.lost |= self.batch_execute("ROLLBACK").is_err();
        }
        begun
    }

    /// Waits for an answer, but not for ever.
    fn wait<T>(
        &mut self,
        ask: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> QueryResult<T> {
        let Some(runtime) = &self.runtime else {
            return Err(failure::lost());
        };
        let (client, patience) = (&self.client, self.patience);
        let answer = runtime.block_on(async {
            let answer = pin!(ask(client));
            within(patience, answer).await
        });
        match answer {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => {
                self.failed = true;
                Err(failure::translate(&error))
            }
            None => {
                self.lost = true;
                Err(failure::lost())
            }
        }
    }
}

async fn within<F: Future>(patience: Duration, answer: F) -> Option<F::Output> {
    tokio::time::timeout(patience, answer).await.ok()
}

impl Drop for PostgresConnection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What diesel has made of a query.
struct Statement {
    sql: String,
    binds: Vec<Bind>,
    types: Vec<Type>,
}

impl Statement {
    fn of<T: QueryFragment<Pg>>(query: &T) -> QueryResult<Self> {
        let mut builder = PgQueryBuilder::default();
        query.to_sql(&mut builder, &Pg)?;
        let mut collector = RawBytesBindCollector::<Pg>::new();
        query.collect_binds(&mut collector, &mut BuiltIn, &Pg)?;
        let types = collector.metadata.iter().map(builtin_type);
        Ok(Self {
            sql: builder.finish(),
            types: types.collect::<QueryResult<_>>()?,
            binds: collector.binds.into_iter().map(Bind).collect(),
        })
    }

    fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        let binds = self.binds.iter().map(|bind| bind as &(dyn ToSql + Sync));
        binds.zip(self.types.iter().cloned()).collect()
    }
}

fn builtin_type(metadata: &PgTypeMetadata) -> QueryResult<Type> {
    let oid = metadata
        .oid()
        .map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
    Type::from_oid(oid).ok_or_else(|| {
        diesel::result::Error::SerializationError("a type that is not built in".into())
    })
}

/// A parameter as diesel has encoded it.
#[derive(Debug)]
struct Bind(Option<Vec<u8>>);

impl ToSql for Bind {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let Some(bytes) = &self.0 else {
            return Ok(IsNull::Yes);
        };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

/// Types that are known without asking: we have no others.
struct BuiltIn;

impl PgMetadataLookup for BuiltIn {
    fn lookup_type(&mut self, type_name: &str, schema: Option<&str>) -> PgTypeMetadata {
        let schema = schema.map(|schema| schema.to_owned().into());
        let key = PgMetadataCacheKey::new(schema, type_name.to_owned().into());
        PgTypeMetadata::from_result(Err(FailedToLookupTypeError::new(key)))
    }

    fn as_any<'a>(&mut self) -> &mut (dyn std::any::Any + 'a)
    where
        Self: 'a,
    {
        self
    }
}

impl MultiConnectionHelper for PostgresConnection {
    fn to_any<'a>(
        lookup: &mut <Pg as TypeMetadata>::MetadataLookup,
    ) -> &mut (dyn std::any::Any + 'a) {
        lookup.as_any()
    }

    fn from_any(
        lookup: &mut dyn std::any::Any,
    ) -> Option<&mut <Pg as TypeMetadata>::MetadataLookup> {
        let lookup = lookup.downcast_mut::<BuiltIn>()?;
        Some(lookup)
    }
}

impl SimpleConnection for PostgresConnection {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        // The server answers COMMIT with success where it has to roll back: say so instead.
        if query == "COMMIT" && self.failed {
            return Err(diesel::result::Error::BrokenTransactionManager);
        }
        self.wait(async |client| client.batch_execute(query).await)?;
        if query.starts_with("ROLLBACK") || query.starts_with("BEGIN") {
            self.failed = false;
        }
        Ok(())
    }
}

impl ConnectionSealed for PostgresConnection {}

impl DieselConnection for PostgresConnection {
    type Backend = Pg;
    type TransactionManager = AnsiTransactionManager;

    /// For diesel's own tools; ours come through [`PostgresConnection::open`].
    fn establish(dsn: &str) -> ConnectionResult<Self> {
        let settings = Settings::new(dsn, None, dsn::Limits::default());
        settings
            .and_then(|settings| Self::open(&settings))
            .map_err(|error| ConnectionError::BadConnection(error.to_string()))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Pg> + QueryId,
    {
        let statement = Statement::of(source)?;
        let rows = self.wait(async |client| {
            let parameters = statement.parameters();
            client.execute_typed(&statement.sql, &parameters).await
        })?;
        usize::try_from(rows)
            .map_err(|error| diesel::result::Error::DeserializationError(Box::new(error)))
    }

    fn transaction_state(
        &mut self,
    ) -> &mut <AnsiTransactionManager as TransactionManager<Self>>::TransactionStateData {
        &mut self.transaction
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = Some(Box::new(instrumentation));
    }

    /// There is no cache: statements are unnamed.
    fn set_prepared_statement_cache_size(&mut self, _: CacheSize) {}
}

impl LoadConnection for PostgresConnection {
    type Cursor<'conn, 'query> = Rows;
    type Row<'conn, 'query> = PostgresRow;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> QueryResult<Rows>
    where
        T: Query + QueryFragment<Pg> + QueryId + 'query,
        Pg: QueryMetadata<T::SqlType>,
    {
        let statement = Statement::of(&source)?;
        let rows = self.wait(async |client| {
            let parameters = statement.parameters();
            let rows = client.query_typed_raw(&statement.sql, parameters).await?;
            rows.try_collect::<Vec<_>>().await
        })?;
        Ok(Rows::new(rows))
    }
}

impl MigrationConnection for PostgresConnection {
    fn setup(&mut self) -> QueryResult<usize> {
        self.batch_execute(CREATE_MIGRATIONS_TABLE).map(|()| 0)
    }
}

impl R2D2Connection for PostgresConnection {
    fn ping(&mut self) -> QueryResult<()> {
        self.batch_execute("SELECT 1")
    }

    fn is_broken(&mut self) -> bool {
        self.lost
            || self.client.is_closed()
            || AnsiTransactionManager::is_broken_transaction_manager(self)
    }
}
