package data

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"
)

// Files of writers that share no code with the module that reads; testdata/parquet/make.mjs has what
// is in them.
const foreignFolder = "testdata/parquet"

// parquetBit and parquetGap are the table that every writer wrote.
func parquetBit(row, column int) bool { return row*(row+column)%7%2 == 1 }
func parquetGap(row, column int) bool { return column >= 10 && (row+2*column)%5 == 0 }

// foreignTables are the files that hold the table, 50 rows of 13 columns.
var foreignTables = []string{
	"arrow-plain-1", "arrow-snappy-1", "arrow-gzip-2", "arrow-zstd-2", "arrow-pages-2", "arrow-split",
	"duckdb-snappy", "duckdb-zstd-2", "duckdb-plain", "polars-zstd", "polars-uncompressed", "parquetjs-1", "parquetjs-2",
	"hyparquet-snappy", "hyparquet-pages",
}

// foreignOthers are the spins of other files, by row and column: +1, -1, or 0 where they are missing.
var foreignOthers = map[string]struct {
	rows, columns int
	spin          func(row, column int) int8
}{
	"arrow-half":    {4, 2, func(row, _ int) int8 { return []int8{-1, 1, 1, -1}[row] }},
	"arrow-words":   {5, 2, func(row, _ int) int8 { return []int8{-1, 1, 1, 0, -1}[row] }},
	"duckdb-enum":   {50, 2, func(row, c int) int8 { return spinOf(parquetBit(row, []int{9, 1}[c])) }},
	"duckdb-groups": {6000, 2, func(row, c int) int8 { return spinOf(c == 0 && row%3 == 0 || c == 1 && row%5 < 2) }},
	"duckdb-none":   {50, 2, func(row, c int) int8 { return spinOf(parquetBit(row, 1)) * int8(1-c) }},
}

// foreignRefused are the lines about files that are no tables of spins, or written in a way that is not read.
var foreignRefused = map[string]string{
	"arrow-brotli":   `column "truth": offset 4: pages compressed by BROTLI, want snappy, gzip, zstd or none`,
	"arrow-lz4":      `column "truth": offset 4: pages compressed by LZ4_RAW, want snappy, gzip, zstd or none`,
	"arrow-delta":    `column "a": offset 4: values in the encoding DELTA_BYTE_ARRAY, want PLAIN, RLE, a dictionary`,
	"arrow-date":     `column "day" holds values of the type DATE INT32, want numbers or booleans; leave the column out`,
	"arrow-list":     `column "pixels" is nested: want a column of single values for each spin`,
	"arrow-fixed":    `column "pixels" is nested: want a column of single values for each spin`,
	"duckdb-list":    `column "pixels" is nested: want a column of single values for each spin`,
	"duckdb-struct":  `column "pair" is nested: want a column of single values for each spin`,
	"duckdb-decimal": `column "a" holds values of the type DECIMAL(4,1) INT32, want numbers or booleans`,
	"duckdb-empty":   "a table of 0 rows and 2 columns holds nothing",
	"duckdb-strings": "row 2, column 1 (spins): the column holds rows of spins as texts: write it to a text file, a row a line",
}

func spinOf(up bool) int8 {
	if up {
		return 1
	}
	return -1
}

// foreignFile returns the bytes of a file of the folder.
func foreignFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(foreignFolder, name+".parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeForeign(b []byte) (*Set, error) {
	var w words
	return Options{Missing: Allow}.decodeParquet(memory{bytes.NewReader(b)}, int64(len(b)), part{}, &w)
}

// Every value of every column comes back, whoever wrote it; what is not read is said in one line; and
// no file of the folder is forgotten.
func TestForeignParquet(t *testing.T) {
	known := slices.Clone(foreignTables)
	same := func(name string, rows, columns int, spin func(row, column int) int8) {
		known = append(known, name)
		s, err := decodeForeign(foreignFile(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if s.Rows != rows || s.Visible != columns {
			t.Errorf("%s: %d rows of %d, want %d of %d", name, s.Rows, s.Visible, rows, columns)
			return
		}
		for row := range rows {
			for c := range columns {
				if got, want := s.Row(row)[c], spin(row, c); got != want {
					t.Errorf("%s: row %d, column %d is %d, want %d", name, row+1, c+1, got, want)
					return
				}
			}
		}
	}
	for _, name := range foreignTables {
		same(name, 50, 13, func(row, c int) int8 {
			if parquetGap(row, c) {
				return 0
			}
			return spinOf(parquetBit(row, c))
		})
		_, err := Parquet(Options{Path: filepath.Join(foreignFolder, name+".parquet")})
		if err == nil || !strings.Contains(err.Error(), "row 1, column 11 (gaps): a missing entry (null)") {
			t.Errorf("%s, where nothing may be missing: %v", name, err)
		}
	}
	for name, c := range foreignOthers {
		same(name, c.rows, c.columns, c.spin)
	}
	for name, want := range foreignRefused {
		known = append(known, name)
		_, err := decodeForeign(foreignFile(t, name))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s:\n got %v\nwant %s", name, err, want)
		}
	}
	files, err := filepath.Glob(filepath.Join(foreignFolder, "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", foreignFolder, err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".parquet"); !slices.Contains(known, name) {
			t.Errorf("%s: no test says what is in it", f)
		}
	}
}

// A label column beside columns of spins, by a writer of columns that all may be missing.
func TestForeignLabels(t *testing.T) {
	s, err := Parquet(Options{Path: filepath.Join(foreignFolder, "duckdb-zstd-2.parquet"), Labels: "text", Missing: Allow})
	if err != nil {
		t.Fatal(err)
	}
	for row, l := range s.Train.Labels {
		if parquetBit(row, 9) != (l == 1) || s.Train.Visible != 12 {
			t.Fatalf("row %d of %d spins: label %d", row, s.Train.Visible, l)
		}
	}
}

// Cut files, metadata of noise, lengths that no file has and single wrong bytes are refused in one line, or
// are other values of the same table; none takes memory that the file does not bear out.
func TestDamagedForeignParquet(t *testing.T) {
	for _, name := range foreignTables {
		good := foreignFile(t, name)
		metadata := len(good) - 8 - int(binary.LittleEndian.Uint32(good[len(good)-8:]))
		refused := func(what string, b []byte, want string) {
			t.Helper()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := decodeForeign(b)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %s: %v, want %s", name, what, err, want)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
				t.Errorf("%s, %s: took %d MiB", name, what, took>>20)
			}
		}
		for n := 0; n < len(good); n += 101 {
			refused("cut", good[:n], "") // the end is no PAR1, or there is no beginning
		}
		noise := bytes.Clone(good)
		for i := metadata; i < len(noise)-8; i++ {
			noise[i] = byte(i * i)
		}
		refused("metadata of noise", noise, "the metadata are damaged")
		length := func(n uint32) []byte {
			return append(binary.LittleEndian.AppendUint32(bytes.Clone(good[:len(good)-8]), n), "PAR1"...)
		}
		refused("metadata of 2 GB", length(1<<31-1), "the metadata have 2147483647 bytes, where the file has")
		refused("metadata of 4 GB", length(1<<32-1), "the metadata have 4294967295 bytes, where the file has")
		for _, c := range []struct {
			what   string
			change func(m *format.FileMetaData)
			want   string
		}{
			{"rows", func(m *format.FileMetaData) { m.RowGroups[0].NumRows = 1 << 30 }, "1073741824 rows"},
			{"pages", func(m *format.FileMetaData) { m.RowGroups[0].Columns[3].MetaData.TotalCompressedSize = 1 << 40 },
				"1099511627776 bytes of pages, where the file has"},
			{"place", func(m *format.FileMetaData) {
				m.RowGroups[0].Columns[3].MetaData.DictionaryPageOffset = 1 << 40
				m.RowGroups[0].Columns[3].MetaData.DataPageOffset = 1 << 40
			}, "offset 1099511627776"},
			{"no pages", func(m *format.FileMetaData) { m.RowGroups[0].Columns[3].MetaData.TotalCompressedSize = 0 },
				"pages of 0 values, where there are"},
		} {
			refused(c.what, withMetadata(t, good, c.change), c.want)
		}
		changed := bytes.Clone(good)
		for i := 0; i < len(good)-8; i += 97 {
			changed[i] ^= []byte{0xff, 0x80, 1}[i%3]
			s, err := decodeForeign(changed)
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, byte %d wrong: more than one line: %v", name, i, err)
			}
			if err == nil && len(s.Spins) != s.Rows*s.Visible {
				t.Errorf("%s, byte %d wrong: %d spins in %d rows of %d", name, i, len(s.Spins), s.Rows, s.Visible)
			}
			changed[i] = good[i]
		}
	}
}
