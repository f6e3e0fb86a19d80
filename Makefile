# Switchback. `make demo` shows it; `make test` checks it; `make up` runs it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
# The flavour that up, down and demo run: release or debug.
CONFIGURATION ?= release
BIN := .build/$(CONFIGURATION)
PREFIX ?= /usr/local
VERSION := $(shell sed -n 's/.*static let version = "\(.*\)"/\1/p' CLI/Switchback/Switchback.swift)
PROGRAMS := api bindings detector recorder registry relay runner shim

.PHONY: help
help:
	@echo "make demo      build, start the local stack, run two small pods, show them, scrub one back"
	@echo "make test      build and run every test against real servers (FILTER=regex for some)"
	@echo "make screenshots   paint every screen of the web app, light and dark, into docs/screenshots"
	@echo "make up        build and start the local stack; make down stops it; data stay"
	@echo "make build     build all programs; make release packs them; make install puts them below $(PREFIX)"
	@echo "make test-compose   run compose.yaml for real and do to it what happens to servers (needs a Docker engine)"
	@echo "make sbom      write what Switchback is made of (CycloneDX) to dist/"
	@echo "make lint      check the format of the source; make clean removes what was built"

.PHONY: setup
setup:
	@scripts/setup build

.PHONY: build
build: setup
	@scripts/build $(CONFIGURATION)

.PHONY: test
test:
	@scripts/setup test
	@scripts/test

.PHONY: screenshots
screenshots:
	@scripts/setup web
	@scripts/build $(CONFIGURATION)
	@SWITCHBACK_BIN=$(abspath $(BIN)) node Tests/Web/screenshots.js docs/screenshots

.PHONY: demo
demo:
	@scripts/setup demo
	@scripts/build $(CONFIGURATION)
	@scripts/demo $(BIN)

.PHONY: up
up: build
	@$(BIN)/switchback up

.PHONY: down
down:
	@if [ -x $(BIN)/switchback ]; then $(BIN)/switchback down; \
	elif [ -x .build/debug/switchback ]; then .build/debug/switchback down; \
	else echo "Nothing is built here, so nothing was started from here."; fi

.PHONY: test-compose
test-compose:
	@scripts/test-compose
	@scripts/test-compose cluster

.PHONY: sbom
sbom: build
	@mkdir -p dist; scripts/sbom >dist/switchback.cdx.json && echo dist/switchback.cdx.json

.PHONY: release
release: setup
	@CONFIGURATION=release scripts/release $(VERSION)

.PHONY: install
install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/switchback
	install -m 755 $(BIN)/switchback $(DESTDIR)$(PREFIX)/bin/switchback
	for program in $(PROGRAMS); do install -m 755 $(BIN)/switchback-$$program $(DESTDIR)$(PREFIX)/libexec/switchback/; done
	cp -r Agents $(DESTDIR)$(PREFIX)/libexec/switchback/
	if [ -d Web ]; then install -d $(DESTDIR)$(PREFIX)/share/switchback && cp -rT Web $(DESTDIR)$(PREFIX)/share/switchback/web; fi

.PHONY: lint
lint:
	@. scripts/swift-path; swift format lint --strict --recursive --parallel Package.swift CLI Services Shared Tests

.PHONY: clean
clean:
	rm -rf .build dist
