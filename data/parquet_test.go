package data

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	pqthrift "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Written by hyparquet-writer 0.17.0, which shares no code with the module that reads: a BOOLEAN [1 0 1 0 1 1], b INT32 [0 1 0 1 1 1], c DOUBLE
// [1 0 0 0 1 0], d INT64 [0 1 1 0 0 1], kind STRING [cat ant bee cat ant ant], snappy; and a INT32 [1 null 0], b INT32 [0 1 1].
const (
	foreignParquet = "UEFSMRUGFQYVClwVDBUAFQwVABUEFQAAAAM/AQA1FQQVEBUUTBUEFQAAAAgcAAAAAAEAAAAVBhUKFQ5cFQwVABUMFRAVBBUAAAADPwMIAQM6FQQVIBUgTBUEFQAAABAAAAUBJPA/AAAAAAAAAAAVBhUKFQ5cFQwVABUMFRAVBBUAAAADPwMIAQMuFQQVIBUcTBUEFQAAABAAAA0BHAEAAAAAAAAAFQYVChUOXBUMFQAVDBUQFQQVAAAAAz8DCAEDJhUGFVgVPlwVDBUAFQwVABUEFQAAAAM/KhgDAAAAY2F0AQcEYW4FBwhiZWUBDjYVAAhhbnQVBBlsSARyb290FQoAFQAlAhgBYQAVAiUCGAFiABUKJQIYAWMAFQQlAhgBZAAVDCUCGARraW5kJQAAFgwZHBlcJggcFQAZFQAZGAFhFQIWDBYwFjQmCDw2ACgBARgBAAAZHBUGFQAVAgAAACY8HBUCGSUAEBkYAWIVAhYMFl4WZiZqJjwcNgAoBAEAAAAYBAAAAAAAGSwVBBUAFQIAFQYVEBUCAAAAJqIBHBUKGSUAEBkYAWMVAhYMFm4WcibcASaiARw2ACgIAAAAAAAA8D8YCAAAAAAAAACANgAAGSwVBBUAFQIAFQYVEBUCAAAAJpQCHBUEGSUAEBkYAWQVAhYMFm4WbibKAiaUAhw2ACgIAQAAAAAAAAAYCAAAAAAAAAAAABksFQQVABUCABUGFRAVAgAAACaCAxwVDBkVABkYBGtpbmQVAhYMFoIBFmgmggM8NgAoA2NhdBgDYW50ABkcFQYVABUCAAAAFuwDFgw24gMAKAloeXBhcnF1ZXQZXBwAABwAABwAABwAABwAAACPAQAAUEFSMQ=="
	foreignNulls   = "UEFSMRUGFRQVGFwVBhUCFQYVABUEFQAAAAMFCBwBAAAAAAAAABUGFRwVIFwVBhUAFQYVABUEFQAAAAMHDCwAAAAAAQAAAAEAAAAVBBk8SARyb290FQQAFQIlAhgBYQAVAiUCGAFiABYGGRwZLCYIHBUCGRUAGRgBYRUCFgYWPhZCJgg8NgIoBAEAAAAYBAAAAAAAGRwVBhUAFQIAAAAmShwVAhkVABkYAWIVAhYGFkYWSiZKPDYAKAQBAAAAGAQAAAAAABkcFQYVABUCAAAAFoQBFgY2jAEAKAloeXBhcnF1ZXQZLBwAABwAAACiAAAAUEFSMQ=="
)

func decoded(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parquetFile returns a parquet file of the rows, which are structures.
func parquetFile[T any](t testing.TB, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withMetadata returns the file with other metadata.
func withMetadata(t testing.TB, file []byte, change func(m *format.FileMetaData)) []byte {
	t.Helper()
	n := len(file) - 8 - int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	var m format.FileMetaData
	if err := pqthrift.Unmarshal(new(pqthrift.CompactProtocol), file[n:len(file)-8], &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	footer, err := pqthrift.Marshal(new(pqthrift.CompactProtocol), m)
	if err != nil {
		t.Fatal(err)
	}
	out := append(bytes.Clone(file[:n]), footer...)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(footer))), "PAR1"...)
}

type spinRow struct {
	A    bool    `parquet:"a"`
	B    int8    `parquet:"b"`
	C    float32 `parquet:"c"`
	D    *int64  `parquet:"d,optional"`
	Kind string  `parquet:"kind,dict"`
	E    uint16  `parquet:"e,dict"`
	F    string  `parquet:"f"` // in lengths as packed differences
	G    int64   `parquet:"g,delta"`
}

func spinRows() []spinRow {
	one, zero := int64(1), int64(0)
	return []spinRow{
		{true, 0, 1, &one, "cat", 0, "true", 1},
		{false, 1, 0, &zero, "ant", 1, "False", 1},
		{true, 1, 0, &one, "cat", 1, "1", 0},
	}
}

func TestParquet(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"foreign.parquet": decoded(t, foreignParquet),
		"zipped.pq.gz":    gzipped(decoded(t, foreignParquet)),
		"indexed.parquet": parquetFile(t, []struct {
			A     int32 `parquet:"a"`
			Index int64 `parquet:"__index_level_0__"`
			B     int32 `parquet:"b"`
		}{{1, 7, 0}, {0, 9, 1}}),
	})
	for _, name := range []string{"foreign.parquet", "zipped.pq.gz"} {
		s, err := Parquet(Options{Path: filepath.Join(dir, name), Labels: "kind"})
		if err != nil {
			t.Fatal(err)
		}
		check(t, s.Train, "+-+--+-++--+-+--+++-++-+", 2, 0, 1, 2, 0, 0)
		if s.Train.Classes[2] != "cat" {
			t.Errorf("classes %q", s.Train.Classes)
		}
		if again, err := Read(filepath.Join(dir, name), Options{Labels: "5"}); err != nil || again.Digest() != s.Train.Digest() {
			t.Errorf("read under its name: %v", err)
		}
	}
	s, err := Parquet(Options{Path: filepath.Join(dir, "indexed.parquet")})
	if err != nil {
		t.Fatal(err)
	}
	check(t, s.Train, "+--+")
	if len(s.Train.Notes) != 1 || !strings.Contains(s.Train.Notes[0], "__index_level_0__, is left out") {
		t.Errorf("notes %q", s.Train.Notes)
	}
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd} {
		for _, version := range []int{1, 2} {
			file := parquetFile(t, spinRows(), parquet.Compression(codec), parquet.DataPageVersion(version), parquet.MaxRowsPerRowGroup(2))
			var w words
			s, err := Options{}.decodeParquet(memory{bytes.NewReader(file)}, int64(len(file)), part{path: "x", labels: "kind"}, &w)
			if err != nil {
				t.Errorf("%v, pages of version %d: %v", codec, version, err)
				continue
			}
			w.number(s)
			check(t, s, "+-++-++-+--+-+++-+++-", 1, 0, 1)
		}
	}
	missing := decoded(t, foreignNulls)
	var w words
	gappy, err := Options{Missing: Allow}.decodeParquet(memory{bytes.NewReader(missing)}, int64(len(missing)), part{}, &w)
	if err != nil || signs(gappy.Spins) != "+-.+-+" && gappy.Spins[2] != 0 {
		t.Errorf("a missing entry: %v, %v", gappy, err)
	}
}

// A pattern of many rows comes back in its order: from several groups, pages and runs.
func TestParquetOfManyRows(t *testing.T) {
	type row struct {
		A int32 `parquet:"a,dict"`
		B bool  `parquet:"b"`
	}
	rows := make([]row, 50_000)
	for i := range rows {
		rows[i] = row{int32(i / 3 % 5 & 1), i*i%7 < 3}
	}
	file := parquetFile(t, rows, parquet.PageBufferSize(1000), parquet.MaxRowsPerRowGroup(7000), parquet.Compression(&parquet.Snappy))
	var w words
	s, err := Options{}.decodeParquet(memory{bytes.NewReader(file)}, int64(len(file)), part{}, &w)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		if (s.Spins[2*i] == 1) != (r.A == 1) || (s.Spins[2*i+1] == 1) != r.B {
			t.Fatalf("row %d is %v, want %v", i, s.Row(i), r)
		}
	}
}

// Each wrong table is refused in one line, by the reader and by what stands before the module that reads.
func TestWrongParquet(t *testing.T) {
	good := parquetFile(t, spinRows())
	list := parquetFile(t, []struct {
		A []int32 `parquet:"a"`
	}{{[]int32{0, 1}}})
	long := make([]struct {
		A int32 `parquet:"a,dict"`
	}, 100_000)
	flat := parquetFile(t, long)
	brotli := parquetFile(t, spinRows(), parquet.Compression(&parquet.Brotli))
	lz4 := parquetFile(t, spinRows(), parquet.Compression(&parquet.Lz4Raw))
	when := parquetFile(t, []struct {
		A int64 `parquet:"a,timestamp"`
	}{{1}, {0}})
	ints := func(values ...int32) []byte {
		type row struct {
			A int32 `parquet:"a"`
			B int32 `parquet:"b"`
		}
		var rows []row
		for i := 0; i < len(values); i += 2 {
			rows = append(rows, row{values[i], values[i+1]})
		}
		return parquetFile(t, rows)
	}
	footer := func(length uint32) []byte {
		return append(binary.LittleEndian.AppendUint32(bytes.Clone(good[:len(good)-8]), length), "PAR1"...)
	}
	page := bytes.Clone(good)
	page[6] = 0xff
	for _, c := range []struct {
		name string
		file []byte
		o    Options
		want string
	}{
		{"empty", nil, Options{}, "no parquet file: 0 bytes"},
		{"a text", []byte("0,1\n1,0\n0,1\n"), Options{}, `no parquet file: it begins with "0,1\n"`},
		{"truncated", good[:len(good)-10], Options{}, "it is truncated"},
		{"encrypted", append(bytes.Clone(good[:len(good)-4]), "PARE"...), Options{}, "an encrypted parquet file"},
		{"a header of 2 GB", footer(1<<31 - 1), Options{}, "the metadata have 2147483647 bytes, where the file has"},
		{"no metadata", footer(0), Options{}, "the metadata are damaged"},
		{"metadata cut", footer(binary.LittleEndian.Uint32(good[len(good)-8:]) - 3), Options{}, "the metadata are damaged"},
		{"a page's header damaged", page, Options{Labels: "kind"}, `column "a": offset`},
		{"pages beyond the file", withMetadata(t, good, func(m *format.FileMetaData) { m.RowGroups[0].Columns[1].MetaData.TotalCompressedSize = 1 << 40 }), Options{}, "1099511627776 bytes of pages, where the file has"},
		{"pages before the file", withMetadata(t, good, func(m *format.FileMetaData) { m.RowGroups[0].Columns[1].MetaData.DataPageOffset = -5 }), Options{}, "offset -5"},
		{"more rows than values", withMetadata(t, good, func(m *format.FileMetaData) { m.RowGroups[0].NumRows = 1000 }), Options{Labels: "kind"}, "pages of 3 values, where there are 1000 rows"},
		{"a bomb of rows", withMetadata(t, flat, func(m *format.FileMetaData) { m.RowGroups[0].NumRows = 1 << 30 }), Options{}, "a bomb: 1073741824 rows in a file of"},
		{"columns that a group has not", withMetadata(t, good, func(m *format.FileMetaData) { m.RowGroups[0].Columns = m.RowGroups[0].Columns[:2] }), Options{}, "row group at index 0 does not have enough columns"},
		{"another type in the pages", withMetadata(t, good, func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.Type = format.Int64 }), Options{}, `column "a" is INT64 in its pages and BOOLEAN in the schema`},
		{"no rows", parquetFile(t, []spinRow{}), Options{}, "a table of 0 rows and 8 columns holds nothing"},
		{"lists", list, Options{}, `column "a" is nested: want a column of single values`},
		{"brotli", brotli, Options{}, "pages compressed by BROTLI, want snappy, gzip, zstd or none"},
		{"lz4", lz4, Options{}, "pages compressed by LZ4_RAW, want snappy"},
		{"timestamps", when, Options{}, `column "a" holds values of the type TIMESTAMP`},
		{"words", good, Options{}, `row 1, column 5 (kind): "cat" is no number; set data.labels to "kind" if the column holds labels`},
		{"no such label", good, Options{Labels: "sort"}, `data.labels: no column is called "sort"`},
		{"label 9", good, Options{Labels: "9"}, "data.labels: no column 9: columns are numbered 1 to 8"},
		{"labels alone", parquetFile(t, []struct {
			A int32 `parquet:"a"`
		}{{1}}), Options{Labels: "a"}, "no column of values beside the labels"},
		{"a missing value", decoded(t, foreignNulls), Options{}, "row 2, column 1 (a): a missing entry (null)"},
		{"greys", ints(0, 1, 7, 0, 200, 3), Options{}, "row 2, column 1 (a): the value 7 is neither of two (0/1 or -1/+1), and there are values from 7 to 200"},
		{"0 and -1", ints(0, 1, -1, 0), Options{}, "row 2, column 1 (a): the value -1 in data that hold both 0 and -1"},
		{"another width", ints(0, 1), Options{Widths: []int{3}}, "rows of 2 values, where [3] are wanted"},
	} {
		var w words
		_, err := c.o.decodeParquet(memory{bytes.NewReader(c.file)}, int64(len(c.file)), part{labels: c.o.Labels}, &w)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		t.Logf("parquet, %s | %v", c.name, err)
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
	}
}

// A page that inflates to more than its header says, pages whose headers together say too much, and runs of more values than there are: each is
// refused before it is inflated as a whole.
func TestParquetBombs(t *testing.T) {
	zeros := make([]byte, 64<<20)
	type column struct {
		A int32 `parquet:"a,plain"`
	}
	file := parquetFile(t, make([]column, 4), parquet.Compression(&parquet.Gzip), parquet.DataPageVersion(1))
	for _, codec := range []compress.Codec{&parquet.Gzip, &parquet.Zstd, &parquet.Snappy} {
		body, err := codec.Encode(nil, zeros)
		if err != nil {
			t.Fatal(err)
		}
		p := page{codec: codec.CompressionCodec()}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = p.inflate(body, 100)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "header") && !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%v: %v", codec, err)
		}
		t.Logf("parquet, a page of %v that inflates to 64 MiB and claims 100 bytes | %v", codec, err)
		if took := after.TotalAlloc - before.TotalAlloc; took > 8<<20 {
			t.Errorf("%v: took %d bytes", codec, took)
		}
	}
	if _, err := runs([]byte{0xfe, 0xff, 0xff, 0x3f, 1}, 1, 100, false); err == nil {
		t.Error("a run of 2^26 values in a page of 100")
	}
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	g := newParquetGuard(bytes.NewReader(file), int64(len(file)))
	m := &f.Metadata().RowGroups[0].Columns[0].MetaData
	if err := g.chunk(m, 4, false); err != nil {
		t.Error(err)
	}
	g.bytes = 10
	if err := g.chunk(m, 4, false); err == nil || !strings.Contains(err.Error(), "a bomb: the pages inflate to") {
		t.Errorf("pages of 16 bytes where 10 are left: %v", err)
	}
}

// Lists that claim more than there is are refused before memory is taken for them.
func TestThriftClaims(t *testing.T) {
	// A structure whose field 2 is a list of 2^31-1 structures, and one of 1000000 of one byte each.
	for _, b := range [][]byte{
		{0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0},
		append([]byte{0x29, 0xfc, 0xc0, 0x84, 0x3d}, make([]byte, 1_000_001)...),
		bytes.Repeat([]byte{0x1c}, 100), // structures within each other
		{0x18, 0xff, 0xff, 0xff, 0xff, 0x07},
		{0x15, 2, 0x05, 2, 2, 0}, // a field twice
	} {
		th := thrift{b: b}
		if _, err := th.structure(0, false); err == nil {
			t.Errorf("% x...: no error", b[:min(8, len(b))])
		}
	}
}

func FuzzParquet(f *testing.F) {
	f.Add(decoded(f, foreignParquet), "kind", false)
	f.Add(decoded(f, foreignNulls), "", true)
	for _, name := range append(slices.Sorted(maps.Keys(foreignOthers)), foreignTables...) {
		if b := foreignFile(f, name); len(b) < 8<<10 {
			f.Add(b, "", true)
		}
	}
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd} {
		for _, version := range []int{1, 2} {
			f.Add(parquetFile(f, spinRows(), parquet.Compression(codec), parquet.DataPageVersion(version)), "5", false)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, label string, gappy bool) {
		var w words
		s, err := Options{Missing: map[bool]string{true: Allow}[gappy], Labels: label}.decodeParquet(memory{bytes.NewReader(file)}, int64(len(file)), part{labels: label}, &w)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("more than one line: %v", err)
			}
			return
		}
		w.number(s)
		if !gappy {
			wellFormed(t, s)
		}
	})
}

// FuzzParquetPages changes a part of a good file, so that the metadata and the checks of sizes let most of it pass.
func FuzzParquetPages(f *testing.F) {
	var files [][]byte
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Zstd} {
		for _, version := range []int{1, 2} {
			files = append(files, parquetFile(f, spinRows(), parquet.Compression(codec), parquet.DataPageVersion(version)))
		}
	}
	files = append(files, decoded(f, foreignParquet), decoded(f, foreignNulls))
	for _, name := range foreignTables {
		files = append(files, foreignFile(f, name))
	}
	for i := range files {
		f.Add(uint8(i), uint16(20), []byte{1, 0, 7})
		f.Add(uint8(i), uint16(len(files[i])-100), []byte{0xff})
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, change []byte) {
		file := bytes.Clone(files[int(which)%len(files)])
		for i, c := range change {
			if at := int(at) + i; at < len(file)-8 {
				file[at] ^= c
			}
		}
		var w words
		label := map[bool]string{true: "kind"}[int(which)%len(files) < 7]
		s, err := Options{Missing: Allow}.decodeParquet(memory{bytes.NewReader(file)}, int64(len(file)), part{labels: label}, &w)
		if err == nil && (len(s.Spins) != s.Rows*s.Visible || label != "" && len(s.Labels) != s.Rows) {
			t.Fatalf("%d rows of %d: %d spins, %d labels", s.Rows, s.Visible, len(s.Spins), len(s.Labels))
		}
	})
}
