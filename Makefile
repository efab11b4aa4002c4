# Everything here is the go command; make only remembers the words.

.PHONY: build test check bench kills soak asm results release

build:
	CGO_ENABLED=0 go build -trimpath -o mattis ./cmd/mattis

test:
	go test ./...

check:
	bash .ci/run

bench:
	go test -run '^$$' -bench . -benchmem ./...

kills: build
	go -C tools run ./kills -mattis "$(CURDIR)/mattis"

soak: build
	go -C tools run ./soak -mattis "$(CURDIR)/mattis" -seconds 600

# Archives, wheels and an image in dist (docs/release.md). VERSION is needed where there is no repository.
release:
	go -C tools run ./release -source "$(CURDIR)" -out "$(CURDIR)/dist" -version "$(VERSION)"

asm:
	go generate ./compute/cpu

# docs/figures is a folder of figures without its instances: mattis figure NAME --out docs/figures makes one anew
# and leaves the others, and this brings the page to its place.
results: docs/figures/results.md
	sed -E 's#\]\(([a-z0-9-]+\.(png|csv))\)#](figures/\1)#g' docs/figures/results.md > docs/results.md
