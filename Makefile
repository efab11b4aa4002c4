# Everything here is the go command; make only remembers the words.

.PHONY: build test check bench asm results

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

# FIGURES is a folder that mattis figure wrote.
FIGURES = figures

results:
	mkdir -p docs/figures
	cp $(FIGURES)/*.png $(FIGURES)/claims.json docs/figures/
	sed 's|](\([a-z0-9]*\.png\))|](figures/\1)|' $(FIGURES)/results.md > docs/results.md
