// Writes the parquet files of this folder by five programs that share no code with the module that reads them
// (README.md has the commands):  node make.mjs FOLDER
import { writeFileSync, mkdirSync } from 'node:fs'
import * as arrow from 'apache-arrow'
import wasm from 'parquet-wasm/node'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { DuckDBInstance } from '@duckdb/node-api'
import pl from 'nodejs-polars'
import parquetjs from 'parquetjs-lite'

const folder = process.argv[2]
mkdirSync(folder, { recursive: true })
const path = (name) => `${folder}/${name}.parquet`

// The spin of a row and a column, as 0 or 1, and where entries are missing: parquetBit of the test is the same.
const rows = 50
const bit = (row, column) => (row * (row + column)) % 7 % 2
const gap = (row, column) => (row + 2 * column) % 5 === 0
const column = (number, make) => Array.from({ length: rows }, (_, row) => make(bit(row, number)))
const gappy = (number, make) =>
  Array.from({ length: rows }, (_, row) => (gap(row, number) ? null : make(bit(row, number))))
const number = (x) => x

// The table: a boolean, whole numbers, floats, the last three with gaps.
const kinds = [
  ['truth', (x) => x === 1, arrow.Bool, 'BOOLEAN'],
  ['i8', number, arrow.Int8, 'TINYINT'],
  ['i16', number, arrow.Int16, 'SMALLINT'],
  ['i32', number, arrow.Int32, 'INTEGER'],
  ['i64', BigInt, arrow.Int64, 'BIGINT'],
  ['u8', number, arrow.Uint8, 'UTINYINT'],
  ['u64', BigInt, arrow.Uint64, 'UBIGINT'],
  ['f32', number, arrow.Float32, 'FLOAT'],
  ['f64', number, arrow.Float64, 'DOUBLE'],
  ['text', String, arrow.Utf8, 'VARCHAR'],
  ['gaps', number, arrow.Int32, 'INTEGER'],
  ['holes', number, arrow.Float64, 'DOUBLE'],
  ['blanks', (x) => x === 1, arrow.Bool, 'BOOLEAN'],
]
const missing = new Set(['gaps', 'holes', 'blanks'])
const table = Object.fromEntries(
  kinds.map(([name, make], i) => [name, (missing.has(name) ? gappy : column)(i, make)]),
)

// arrow-rs, by parquet-wasm.
{
  const fields = kinds.map(([name, , Type]) => new arrow.Field(name, new Type(), missing.has(name)))
  const vectors = kinds.map(([name, , Type]) => arrow.vectorFromArray(table[name], new Type()))
  const data = arrow.makeData({
    type: new arrow.Struct(fields),
    length: rows,
    children: vectors.map((v) => v.data[0]),
  })
  const batch = new arrow.RecordBatch(new arrow.Schema(fields), data)
  const ipc = arrow.tableToIPC(new arrow.Table([batch]), 'stream')
  const write = (name, set, bytes = ipc) => {
    const b = set(new wasm.WriterPropertiesBuilder())
    writeFileSync(path(`arrow-${name}`), wasm.writeParquet(wasm.Table.fromIPCStream(bytes), b.build()))
  }
  const { Compression: c, WriterVersion: v, Encoding: e } = wasm
  write('plain-1', (b) => b.setWriterVersion(v.V1).setDictionaryEnabled(false).setCompression(c.UNCOMPRESSED))
  write('snappy-1', (b) => b.setWriterVersion(v.V1).setCompression(c.SNAPPY).setMaxRowGroupSize(30))
  write('gzip-2', (b) => b.setWriterVersion(v.V2).setCompression(c.GZIP).setMaxRowGroupSize(25))
  write('zstd-2', (b) =>
    b.setWriterVersion(v.V2).setCompression(c.ZSTD).setDictionaryEnabled(false).setColumnDictionaryEnabled('text', true))
  write('pages-2', (b) =>
    b.setWriterVersion(v.V2).setCompression(c.UNCOMPRESSED).setWriteBatchSize(8).setDataPageSizeLimit(8))
  write('split', (b) => {
    b = b.setDictionaryEnabled(false).setCompression(c.SNAPPY)
    for (const name of ['i32', 'i64', 'f32', 'f64', 'gaps', 'holes']) {
      b = b.setColumnEncoding(name, e.BYTE_STREAM_SPLIT)
    }
    return b
  })
  write('brotli', (b) => b.setCompression(c.BROTLI))
  write('lz4', (b) => b.setCompression(c.LZ4_RAW))
  const of = (vectors) => arrow.tableToIPC(new arrow.Table(vectors), 'stream')
  const list = new arrow.List(new arrow.Field('item', new arrow.Int8(), true))
  write('list', (b) => b, of({ pixels: arrow.vectorFromArray([[0, 1, 1], [1, 0, 0]], list) }))
  const fixed = new arrow.FixedSizeList(3, new arrow.Field('item', new arrow.Int8(), true))
  write('fixed', (b) => b, of({ pixels: arrow.vectorFromArray([[0, 1, 1], [1, 0, 0]], fixed) }))
  const strings = of({ a: arrow.vectorFromArray(['0', '1'], new arrow.Utf8()) })
  write('delta', (b) => b.setWriterVersion(v.V2).setDictionaryEnabled(false), strings)
  const half = () => arrow.vectorFromArray([0, 1, 1, 0], new arrow.Float16())
  write('half', (b) => b, of({ a: half(), b: half() })) // a vector in two columns comes out wrong
  const days = arrow.vectorFromArray([new Date(0), new Date(864e5)], new arrow.DateDay())
  write('date', (b) => b, of({ a: arrow.vectorFromArray([0, 1], new arrow.Int8()), day: days }))
  const words = arrow.vectorFromArray(['0', '1', '1', null, '0'], new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()))
  write('words', (b) => b, of({ a: words, b: words }))
}

// DuckDB.
{
  const db = await (await DuckDBInstance.create(':memory:')).connect()
  const literal = (x) => (x === null ? 'NULL' : typeof x === 'string' ? `'${x}'` : String(x))
  await db.run(`CREATE TABLE t (${kinds.map(([name, , , sql]) => `${name} ${sql}`).join(', ')})`)
  for (let row = 0; row < rows; row++) {
    await db.run(`INSERT INTO t VALUES (${kinds.map(([name]) => literal(table[name][row])).join(', ')})`)
  }
  const write = (name, options, query = 't') =>
    db.run(`COPY ${query} TO '${path(`duckdb-${name}`)}' (FORMAT parquet, ${options})`)
  await write('snappy', 'COMPRESSION snappy')
  await write('zstd-2', 'COMPRESSION zstd, PARQUET_VERSION V2, DICTIONARY_SIZE_LIMIT 1')
  await write('plain', 'COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1')
  await write('list', 'COMPRESSION snappy', '(SELECT [i8, u8, i16] AS pixels FROM t)')
  await write('struct', 'COMPRESSION snappy', '(SELECT {a: i8, b: u8} AS pair FROM t)')
  await write('decimal', 'COMPRESSION snappy', '(SELECT i8::DECIMAL(4, 1) AS a, i16 AS b FROM t)')
  await write('enum', 'COMPRESSION snappy', `(SELECT text::ENUM('0', '1') AS a, i8::HUGEINT AS b FROM t)`)
  await write('strings', 'COMPRESSION snappy',
    `(SELECT i8::VARCHAR || i16::VARCHAR || i32::VARCHAR AS spins FROM t)`)
  await write('empty', 'COMPRESSION snappy', '(SELECT i8, u8 FROM t WHERE i8 > 1)')
  await write('none', 'COMPRESSION snappy', '(SELECT i8 AS a, NULL::INTEGER AS b FROM t)')
  await write('groups', 'COMPRESSION snappy, ROW_GROUP_SIZE 2048',
    '(SELECT (range % 3 = 0)::INTEGER AS a, (range % 5 < 2)::BOOLEAN AS b FROM range(6000))')
}

// Polars.
{
  const { Bool, Int8, Int16, Int32, Int64, UInt8, UInt64, Float32, Float64, Utf8 } = pl
  const types = [Bool, Int8, Int16, Int32, Int64, UInt8, UInt64, Float32, Float64, Utf8, Int32, Float64, Bool]
  const plain = (x) => (typeof x === 'bigint' ? Number(x) : x) // of BigInt it makes a column of nothing
  const series = kinds.map(([name], i) => pl.Series(name, table[name].map(plain)).cast(types[i]))
  const frame = pl.DataFrame(series)
  for (const compression of ['zstd', 'uncompressed']) {
    frame.writeParquet(path(`polars-${compression}`), { compression })
  }
}

// parquetjs-lite, which has no dictionaries.
for (const [name, useDataPageV2, compression] of [['1', false, 'UNCOMPRESSED'], ['2', true, 'GZIP']]) {
  const types = {
    BOOLEAN: 'BOOLEAN', TINYINT: 'INT_8', SMALLINT: 'INT_16', INTEGER: 'INT32', BIGINT: 'INT64', UTINYINT: 'UINT_8',
    UBIGINT: 'UINT_64', FLOAT: 'FLOAT', DOUBLE: 'DOUBLE', VARCHAR: 'UTF8',
  }
  const schema = new parquetjs.ParquetSchema(
    Object.fromEntries(kinds.map(([name, , , sql]) => [name, { type: types[sql], optional: missing.has(name), compression }])),
  )
  const writer = await parquetjs.ParquetWriter.openFile(schema, path(`parquetjs-${name}`), { useDataPageV2, rowGroupSize: 30 })
  for (let row = 0; row < rows; row++) {
    await writer.appendRow(Object.fromEntries(
      kinds.map(([name]) => [name, table[name][row]]).filter(([, x]) => x !== null),
    ))
  }
  await writer.close()
}

// hyparquet-writer.
{
  const types = { TINYINT: 'INT32', SMALLINT: 'INT32', INTEGER: 'INT32', UTINYINT: 'INT32', BIGINT: 'INT64', UBIGINT: 'INT64', VARCHAR: 'STRING' }
  const columnData = kinds.map(([name, , , sql]) => ({
    name, data: table[name], type: types[sql] ?? sql, nullable: missing.has(name),
  }))
  for (const [name, options] of [['snappy', {}], ['pages', { codec: 'UNCOMPRESSED', rowGroupSize: 30, pageSize: 32 }]]) {
    writeFileSync(path(`hyparquet-${name}`), new Uint8Array(parquetWriteBuffer({ columnData, ...options })))
  }
}
