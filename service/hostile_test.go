package service

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mattis/tensorfile"
)

// npyOf returns the bytes of an npy file.
func npyOf[E tensorfile.Element](x []E, shape ...int) string {
	var b bytes.Buffer
	if err := tensorfile.WriteNPY(&b, tensorfile.New("", x, shape...)); err != nil {
		panic(err)
	}
	return b.String()
}

// header returns an npy file that claims a shape and ends after its header.
func header(shape string) string {
	h := fmt.Sprintf("{'descr': '|i1', 'fortran_order': False, 'shape': %s, }", shape)
	h += strings.Repeat(" ", 117-len(h)) + "\n"
	return "\x93NUMPY\x01\x00" + string([]byte{byte(len(h)), 0}) + h
}

const row16 = "[0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1]"

// Requests that are wrong, and what they are told. None of them is answered by a 5xx, and after all
// of them the service answers as before.
func TestHostile(t *testing.T) {
	w := begin(t, nil, "axons", "deep")
	js, npy := "application/json", "application/x-npy"
	before := w.post("axons/score", map[string]any{"rows": rows(3, 16, 1)})
	good := `{"rows": [` + row16 + `]}`
	for _, c := range []struct {
		name, place, kind, body string
		status                  int
		words                   string
		header                  []string
	}{
		{"another content type", "axons/score", "text/plain", good, 415, "header.Content-Type: text/plain, want application/json or application/x-npy", nil},
		{"no content type", "axons/score", "", good, 415, `header.Content-Type`, nil},
		{"a form", "axons/sample", "application/x-www-form-urlencoded", "count=1", 415, "want application/json", nil},
		{"another charset", "axons/score", "application/json; charset=utf-16", good, 415, "Content-Type", nil},
		{"npy where there are no rows", "axons/sample", npy, "x", 415, "want application/json", nil},
		{"zipped", "axons/score", js, good, 415, "header.Content-Encoding: gzip", []string{"Content-Encoding", "gzip"}},
		{"an answer that is not had", "axons/score", js, good, 406, "header.Accept: text/html", []string{"Accept", "text/html"}},
		{"a picture of numbers", "axons/score", js, good, 406, "application/json, application/x-npy", []string{"Accept", "image/png"}},
		{"another host", "axons/score", js, good, 403, "localhost, 127.0.0.1", []string{"Host", "evil.example"}},
		{"another origin", "axons/score", js, good, 403, "another origin", []string{"Origin", "http://evil.example"}},
		{"no origin's origin", "axons/score", js, good, 403, "another origin", []string{"Origin", "null"}},
		{"another site", "axons/score", js, good, 403, "another origin", []string{"Sec-Fetch-Site", "same-site"}},
		{"no run", "nowhere/score", js, good, 404, `no run "nowhere" is served`, nil},
		{"a path out", "../../etc/passwd", js, good, 404, "", nil},
		{"an escaped path out", "..%2f..%2fetc%2fpasswd/score", js, good, 404, `no run "../../etc/passwd"`, nil},
		{"a path within", "axons%2f..%2fdeep/score", js, good, 404, "is served", nil},
		{"nothing to do", "axons/train", js, good, 404, `"train" is nothing`, nil},
		{"no JSON", "axons/score", js, "rows", 400, "byte 1 of the body: 'r', want '{'", nil},
		{"an end too soon", "axons/score", js, `{"rows": [[0,1`, 400, "the body ends too soon", nil},
		{"something behind", "axons/score", js, good + "x", 400, "want the end of the body", nil},
		{"an empty body", "axons/score", js, "", 400, "the body ends too soon", nil},
		{"no rows", "axons/score", js, `{}`, 422, "body.rows: is missing", nil},
		{"rows of none", "axons/score", js, `{"rows": []}`, 422, "body.rows: no rows", nil},
		{"an empty row", "axons/score", js, `{"rows": [[]]}`, 422, "body.rows[0]: 0 values", nil},
		{"a narrow row", "axons/score", js, `{"rows": [[0,1]]}`, 422, "body.rows[0]: 2 values, the machine has 16 visible spins", nil},
		{"a wide row", "axons/score", js, `{"rows": [` + row16 + `,[` + strings.Repeat("0,", 1<<17) + `0]]}`, 422, "body.rows[1]: more than 16 values", nil},
		{"deep", "axons/score", js, `{"rows": ` + strings.Repeat("[", 1<<17), 422, "body.rows[0][0]: want 0 and 1", nil},
		{"deep objects", "axons/score", js, strings.Repeat(`{"rows":`, 1<<15), 422, "body.rows: want a list of rows", nil},
		{"a deep option", "axons/sample", js, `{"seed": ` + strings.Repeat("[", 1<<17), 422, "body.seed: a list or an object", nil},
		{"an unknown option", "axons/score", js, `{"rowz": [[[[`, 422, "body.rowz: is no option of score, want one of rows, label, threshold", nil},
		{"an option of another", "axons/score", js, `{"steps": 3}`, 422, "body.steps: is no option of score", nil},
		{"twice", "axons/sample", js, `{"seed": 1, "seed": 2}`, 422, "body.seed: is given twice", nil},
		{"rows twice", "axons/score", js, `{"rows": [` + row16 + `], "rows": []}`, 422, "body.rows: is given twice", nil},
		{"in both", "axons/sample?seed=3", js, `{"seed": 1}`, 422, "body.seed: is given twice", nil},
		{"NaN as a seed", "axons/sample", js, `{"seed": NaN}`, 422, "body.seed: NaN is no JSON", nil},
		{"an infinite seed", "axons/sample", js, `{"seed": 1e999}`, 422, "body.seed: 1e999, want a whole number", nil},
		{"a negative seed", "axons/sample", js, `{"seed": -1}`, 422, "body.seed: -1, want a whole number of 0 to 18446744073709551615", nil},
		{"a seed of 65 bits", "axons/sample", js, `{"seed": 18446744073709551616}`, 422, "body.seed", nil},
		{"a seed as a text", "axons/sample", js, `{"seed": "1"}`, 422, `body.seed: "1"`, nil},
		{"a seed of nothing", "axons/sample", js, `{"seed": null}`, 422, "body.seed: null", nil},
		{"NaN in a row", "axons/score", js, `{"rows": [[NaN]]}`, 422, "body.rows[0][0]: NaN, want 0 and 1", nil},
		{"a missing value", "axons/score", js, `{"rows": [` + strings.Replace(row16, "1", "null", 1) + `]}`, 422, "body.rows[0][1]: is missing", nil},
		{"a grey", "axons/score", js, `{"rows": [` + row16 + `,` + strings.Replace(row16, "1", "0.5", 1) + `]}`, 422, "body.rows[1][1]: 0.5, want 0 and 1, or -1 and +1; a threshold makes", nil},
		{"three values", "axons/score", js, `{"rows": [` + strings.Replace(row16, "1", "-1", 1) + `]}`, 422, "body.rows[0][1]: -1 in rows that hold both 0 and -1", nil},
		{"more rows than fit", "axons/score", js, `{"rows": [` + strings.Repeat(row16+",", 500) + row16 + `]}`, 413, "body.rows: more than 500 rows", nil},
		{"a body too large", "axons/score", js, `{"rows": [` + strings.Repeat(" ", 1<<20) + `]}`, 413, "want at most 1048576", nil},
		{"more samples than fit", "axons/sample", js, `{"count": 501}`, 422, "body.count: 501, want a whole number of 1 to 500", nil},
		{"steps without end", "axons/sample", js, `{"steps": 1000000000}`, 422, "body.steps: 1000000000, want a whole number of 0 to 100000", nil},
		{"more chains than samples", "axons/sample", js, `{"count": 2, "chains": 3}`, 422, "body.chains: 3, want 1 to the number of samples, 2", nil},
		{"a file to start from", "axons/sample", js, `{"from": "/etc/passwd"}`, 422, `body.from: "/etc/passwd" is unknown, want one of random, patterns, data`, nil},
		{"a file as a mask", "axons/reconstruct", js, `{"rows": [` + row16 + `], "known": "/etc/passwd.npy"}`, 422, `body.known: "/etc/passwd.npy", want rows:a-b, spins:a-b or a list`, nil},
		{"a mask too long", "axons/reconstruct", js, `{"rows": [` + row16 + `], "known": [` + strings.Repeat("1,", 1<<16) + `1]}`, 422, "body.known: more than 16 values", nil},
		{"a mask too short", "axons/reconstruct", js, `{"rows": [` + row16 + `], "known": [1]}`, 422, "body.known: 1 values, want one for each of the 16", nil},
		{"nothing unknown", "axons/reconstruct", js, good, 422, "body.known: is missing", nil},
		{"rows that are not there", "axons/reconstruct", js, `{"rows": [` + row16 + `], "known": "rows:1-9"}`, 422, "body.known: rows:1-9: the rows are numbered 1 to 4", nil},
		{"no sampler", "axons/sample", js, `{"sampler": "x"}`, 422, `body.sampler: "x" is unknown, want one of gibbs`, nil},
		{"no patterns", "deep/sample", js, `{"from": "patterns"}`, 422, "body.from: dense couplings have no patterns", nil},
		{"no earlier checkpoints", "deep/sample", js, `{"sampler": "guided"}`, 422, "body.sampler: guided", nil},
		{"no label", "axons/sample", js, `{"label": "7"}`, 422, "body.label: 7: the machine has no labels", nil},
		{"no layer", "axons/features", js, `{"rows": [` + row16 + `], "layer": "x"}`, 422, `body.layer: "x" is no hidden layer`, nil},
		{"mean and sample", "axons/features", js, `{"rows": [` + row16 + `], "mean": true, "sample": true}`, 422, "body.sample: true beside mean", nil},
		{"a threshold of 1", "axons/score?threshold=1", js, good, 422, "query.threshold: 1, want a number of at least 0 and below 1", nil},
		{"rows in the query", "axons/score?rows=1", js, good, 422, "query.rows", nil},
		{"a string without end", "axons/sample", js, `{"from": "` + strings.Repeat("x", 5000), 422, "a string of more than 1024 bytes", nil},
		{"a broken escape", "axons/sample", js, `{"from": "\ud8"}`, 400, "a string that is none", nil},
		{"an unknown name without end", "axons/sample", js, `{"` + strings.Repeat("y", 800) + `": 1}`, 422, "yyy...: is no option", nil},
		{"an npy that is none", "axons/score", npy, "hello, world", 400, "no npy file", nil},
		{"an npy that claims too much", "axons/score", npy, header("(1000000000000, 16)"), 413, "1000000000000 rows: send at most 500", nil},
		{"an npy that claims too wide a row", "axons/score", npy, header("(3, 4611686018427387904, 4)"), 422, "body.rows: rows of shape", nil},
		{"an npy shorter than it claims", "axons/score", npy, header("(400, 16)"), 400, "truncated", nil},
		{"an npy of one size", "axons/score", npy, npyOf(make([]int8, 16), 16), 422, "an array of shape [16]", nil},
		{"an npy of other rows", "axons/score", npy, npyOf(make([]int8, 15), 1, 15), 422, "body.rows[0]: 15 values", nil},
		{"an npy of other values", "axons/score", npy, npyOf([]int8{0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 16), 422, "body.rows[0][7]: 7", nil},
		{"an npy of infinite values", "axons/score?threshold=0.5", npy, npyOf([]float32{float32(math.Inf(1)), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 16), 422, "body.rows[0][0]: +Inf, want greys", nil},
		{"an npy with a long header", "axons/score", npy, "\x93NUMPY\x02\x00\xff\xff\xff\xff" + strings.Repeat(" ", 1<<10), 400, "want at most 65536", nil},
		{"an npy of no rows", "axons/score", npy, npyOf([]int8{}, 0, 16), 422, "no rows", nil},
	} {
		got, b := w.ask("POST", "/v1/runs/"+c.place, strings.NewReader(c.body), append([]string{"Content-Type", c.kind}, c.header...)...)
		var p problem
		err := json.Unmarshal(b, &p)
		if got.StatusCode != c.status || !strings.Contains(p.Detail, c.words) || err != nil || p.Status != c.status || got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s, want %d with %q", c.name, got.StatusCode, b, c.status, c.words)
		}
		if len(b) > 1000 {
			t.Errorf("%s: the refusal has %d bytes", c.name, len(b))
		}
	}
	for _, c := range []struct {
		method, place string
		status        int
	}{{"GET", "/v1/runs/axons/score", 405}, {"PUT", "/v1/runs/axons", 405}, {"DELETE", "/v1/runs/axons/sample", 405}, {"OPTIONS", "/v1/runs/axons/score", 405},
		{"POST", "/healthz", 405}, {"GET", "/", 404}, {"GET", "//v1/runs", 404}, {"GET", "/v1/runs/axons/", 404}, {"GET", "/v1/runs/axons/score/x", 404}, {"GET", "/v2/runs", 404}} {
		if got, b := w.ask(c.method, c.place, nil); got.StatusCode != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.place, got.StatusCode, b, c.status)
		}
	}
	if got, _ := w.ask("POST", "/v1/runs/axons/score", strings.NewReader(good), "Content-Type", js, "Origin", w.url); got.StatusCode != 200 {
		t.Errorf("its own origin: %d", got.StatusCode)
	}
	after := w.post("axons/score", map[string]any{"rows": rows(3, 16, 1)})
	if !sameBits(before.Free, after.Free) || w.queued.Load() != 0 || w.memory.Load() != 0 {
		t.Errorf("afterwards the energies are %v, before %v; %d requests and %d bytes are left", after.Free, before.Free, w.queued.Load(), w.memory.Load())
	}
}

// raw sends bytes on a connection of its own and returns what comes back.
func (w *world) raw(text string, more func(c net.Conn)) (*http.Response, error) {
	w.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, text); err != nil {
		return nil, err
	}
	if more != nil {
		more(c)
	}
	return http.ReadResponse(bufio.NewReader(c), nil)
}

// What only bytes on a connection can say.
func TestHostileBytes(t *testing.T) {
	w := begin(t, nil, "axons")
	post := "POST /v1/runs/axons/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	for _, c := range []struct {
		name, text string
		status     int
	}{
		{"a length beyond all bounds", post + "Content-Length: 9000000000000000000\r\n\r\n{", 413},
		{"a length that is none", post + "Content-Length: -1\r\n\r\n", 400},
		{"two lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}", 400},
		{"length and chunks", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"chunks that are none", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		{"an endless header", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		{"no host", "GET /v1/runs HTTP/1.1\r\n\r\n", 400},
		{"two hosts", "GET /v1/runs HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400},
		{"a host in the line", "GET http://evil.example/v1/runs HTTP/1.1\r\nHost: localhost\r\n\r\n", 403},
		{"a path of two bytes", "GET /v1/runs/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
	} {
		got, err := w.raw(c.text, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.name, got.StatusCode, c.status)
		}
	}
	// Chunks without an end are cut off at the bound.
	got, err := w.raw(post+"Transfer-Encoding: chunked\r\n\r\n", func(c net.Conn) {
		for range 2000 {
			if _, err := io.WriteString(c, "400\r\n"+strings.Repeat(" ", 1024)+"\r\n"); err != nil {
				return
			}
		}
	})
	if err == nil && got.StatusCode != 413 { // or the connection is gone before it could be read
		t.Errorf("chunks without an end: %d, want 413", got.StatusCode)
	}
	// A client that goes in the middle leaves nothing behind.
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, post+"Content-Length: 100\r\n\r\n{\"rows\"")
	w.waits(1)
	c.Close()
	w.waits(0)
}

// The reader of bodies takes what encoding/json takes, with the same values, and nothing else.
func FuzzBody(f *testing.F) {
	for _, s := range []string{`{"rows":[[0,1]],"seed":3}`, `{"seed":18446744073709551615}`, `{ "rows" : [ [ -1 , 1 ] , [1,1] ] , "sampler":"gibbs" }`,
		`{"rows":[[null,0]],"known":[1,0]}`, `{"threshold":0.25,"rows":[[0.5,1e-3]]}`, `{"known":"spins:1-2","steps":5,"rows":[[true,false]]}`, `{"label":"\u0041"}`, `{"rows":[[0,1],]}`, `{"rows":[[01,1]]}`, `{"seed":1.0}`} {
		f.Add([]byte(s))
	}
	s := &Service{Options: defaults}
	op := operationOf("reconstruct")
	f.Fuzz(func(t *testing.T, body []byte) {
		scan := &scanner{buf: make([]byte, 7)} // edges everywhere
		scan.reset(bytes.NewReader(body))
		var o options
		x := &table{op: op, widths: [2]int{2, 2}, most: 3, place: "body.rows"}
		err := scan.object(op, s, &o, x)
		var spins []int8
		if err == nil && o[optRows].given {
			spins, err = x.finish(&o, 2)
		}
		if err != nil {
			if p := problemOf(err); p == nil || p.Status >= 500 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		var want struct {
			Rows  [][]any `json:"rows"`
			Seed  *uint64 `json:"seed"`
			Steps *int64  `json:"steps"`
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("%q is taken, and no JSON: %v", body, err)
		}
		if want.Seed != nil && o.seed(0) != *want.Seed || want.Steps != nil && o[optSteps].whole != *want.Steps {
			t.Fatalf("%q: seed %d, steps %d", body, o.seed(0), o[optSteps].whole)
		}
		if len(want.Rows)*2 != len(spins) {
			t.Fatalf("%q: %d rows are %d spins", body, len(want.Rows), len(spins))
		}
		for i, row := range want.Rows {
			for j, v := range row {
				if (v == nil) != (spins[2*i+j] == 0) {
					t.Fatalf("%q: row %d, value %d is %v, as a spin %d", body, i, j, v, spins[2*i+j])
				}
			}
		}
	})
}
