//! Rows as diesel reads them.

use std::{num::NonZeroU32, ops::Range, sync::Arc};

use diesel::{
    QueryResult,
    pg::{Pg, PgValue},
    row::{Field, PartialRow, Row, RowIndex, RowSealed},
};
use tokio_postgres::types::{FromSql, Type};

/// The rows of one answer, all of them here already.
pub(crate) struct Rows {
    rows: std::vec::IntoIter<tokio_postgres::Row>,
    oids: Arc<[NonZeroU32]>,
}

impl Rows {
    pub(super) fn new(rows: Vec<tokio_postgres::Row>) -> Self {
        let columns = rows.first().map(tokio_postgres::Row::columns);
        let oids = columns.unwrap_or_default().iter().map(|column| {
            // There is no type 0; it would mean "any".
            NonZeroU32::new(column.type_().oid()).unwrap_or(NonZeroU32::MIN)
        });
        Self {
            oids: oids.collect(),
            rows: rows.into_iter(),
        }
    }
}

impl Iterator for Rows {
    type Item = QueryResult<PostgresRow>;

    fn next(&mut self) -> Option<Self::Item> {
        let oids = Arc::clone(&self.oids);
        self.rows.next().map(|row| Ok(PostgresRow { row, oids }))
    }
}

/// One row.
pub(crate) struct PostgresRow {
    row: tokio_postgres::Row,
    oids: Arc<[NonZeroU32]>,
}

impl RowSealed for PostgresRow {}

impl<'a> Row<'a, Pg> for PostgresRow {
    type InnerPartialRow = Self;
    type Field<'f>
        = PostgresField<'f>
    where
        'a: 'f,
        Self: 'f;

    fn field_count(&self) -> usize {
        self.row.len()
    }

    fn get<'b, I>(&'b self, index: I) -> Option<Self::Field<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        let index = self.idx(index)?;
        Some(PostgresField {
            name: self.row.columns().get(index)?.name(),
            raw: self.row.try_get::<_, Raw<'b>>(index).ok()?.0,
            oid: self.oids.get(index)?,
        })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self> {
        PartialRow::new(self, range)
    }
}

impl RowIndex<usize> for PostgresRow {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < self.row.len()).then_some(index)
    }
}

impl<'n> RowIndex<&'n str> for PostgresRow {
    fn idx(&self, name: &'n str) -> Option<usize> {
        let mut columns = self.row.columns().iter();
        columns.position(|column| column.name() == name)
    }
}

/// One value, as it came.
pub(crate) struct PostgresField<'a> {
    name: &'a str,
    raw: Option<&'a [u8]>,
    oid: &'a NonZeroU32,
}

impl<'a> Field<'a, Pg> for PostgresField<'a> {
    fn field_name(&self) -> Option<&str> {
        Some(self.name)
    }

    fn value(&self) -> Option<PgValue<'_>> {
        self.raw.map(|raw| PgValue::new(raw, self.oid))
    }
}

/// Bytes of any type; diesel knows what they mean.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
