# Everything here is the go command; make only remembers the words.

.PHONY: build test check bench asm

build:
	go build -trimpath -o mattis ./cmd/mattis

test:
	go test ./...

check:
	bash .ci/run

bench:
	go test -run '^$$' -bench . -benchmem ./...

asm:
	go generate ./compute/cpu
