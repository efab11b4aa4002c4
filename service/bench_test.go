package service

import (
	"bytes"
	"fmt"
	"testing"
)

// What reading a body costs: rows of 784 zeros and ones in JSON.
func BenchmarkBody(b *testing.B) {
	s := &Service{Options: defaults}
	op := operationOf("score")
	for _, n := range []int{1, 64, 1024} {
		var text bytes.Buffer
		text.WriteString(`{"rows":[`)
		for i := range n {
			if i > 0 {
				text.WriteByte(',')
			}
			text.WriteByte('[')
			for j := range 784 {
				if j > 0 {
					text.WriteByte(',')
				}
				text.WriteByte("01"[(i*7+j*3)%2])
			}
			text.WriteByte(']')
		}
		text.WriteString(`]}`)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := rooms.Get().(*room)
				t := &r.table
				*t = table{op: op, widths: [2]int{784, 784}, most: 2048, place: "body.rows", values: t.values[:0]}
				var o options
				r.scan.reset(bytes.NewReader(text.Bytes()))
				if err := r.scan.object(op, s, &o, t); err != nil {
					b.Fatal(err)
				}
				if _, err := t.finish(&o, 784); err != nil {
					b.Fatal(err)
				}
				r.give()
			}
		})
	}
}
