# All programs in one build; one small image for each.
#
#   docker build --target relay -t switchback/relay .
#
# Works with Docker 20.10 and without BuildKit's newer features.
ARG SWIFT_IMAGE=swift:6.3.1-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

# ---- build ---------------------------------------------------------------------------------------------------------------------------
FROM ${SWIFT_IMAGE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libnats-dev libpq-dev libssl-dev libzstd-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The packages first: they change less often than our own source.
COPY Package.swift ./
COPY Shared Shared
COPY Services Services
COPY CLI CLI
COPY Tests Tests
RUN swift build -c release --static-swift-stdlib \
    && mkdir -p /out && cp .build/release/switchback .build/release/switchback-* /out/ 2>/dev/null; \
    rm -rf /out/*.build /out/*.swiftmodule /out/*.product && strip /out/* && ls -l /out

# ---- what every image has ------------------------------------------------------------------------------------------------------------
FROM ${RUNTIME_IMAGE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Switchback" \
      org.opencontainers.image.description="Runs fleets of terminal agents and remembers everything they did" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libnats3.4 libpq5 libssl3 libzstd1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /home/switchback --shell /bin/bash switchback \
    # Volumes take their owner from here at their first use.
    && install -d -o switchback -g switchback /secrets /secrets/own /var/lib/switchback \
       /secrets/root /secrets/nats /secrets/database /secrets/registry /secrets/recorder /secrets/relay /secrets/bindings /secrets/detector \
       /secrets/api /secrets/runners /secrets/people /secrets/tls
USER switchback
WORKDIR /home/switchback
ENV SWITCHBACK_HTTP=127.0.0.1:8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=6 CMD ["/usr/libexec/switchback/service", "--ready"]

# ---- one for each service ------------------------------------------------------------------------------------------------------------
FROM runtime AS relay
COPY --from=build /out/switchback-relay /usr/libexec/switchback/service
ENTRYPOINT ["/usr/libexec/switchback/service"]

FROM runtime AS recorder
COPY --from=build /out/switchback-recorder /usr/libexec/switchback/service
ENTRYPOINT ["/usr/libexec/switchback/service"]

FROM runtime AS registry
COPY --from=build /out/switchback-registry /usr/libexec/switchback/service
ENTRYPOINT ["/usr/libexec/switchback/service"]

FROM runtime AS detector
COPY --from=build /out/switchback-detector /usr/libexec/switchback/service
COPY Agents /usr/libexec/switchback/Agents
ENTRYPOINT ["/usr/libexec/switchback/service"]

FROM runtime AS bindings
COPY --from=build /out/switchback-bindings /usr/libexec/switchback/service
ENTRYPOINT ["/usr/libexec/switchback/service"]

FROM runtime AS api
COPY --from=build /out/switchback-api /usr/libexec/switchback/service
COPY Web /usr/share/switchback/web
ENV SWITCHBACK_API_LISTEN=0.0.0.0:7420 SWITCHBACK_WEB=/usr/share/switchback/web
EXPOSE 7420
ENTRYPOINT ["/usr/libexec/switchback/service"]

# A host for pods. Its agents find what is installed here: build your own image on top of it for what yours need.
FROM runtime AS runner
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends bash git less procps vim-tiny \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/switchback-runner /usr/libexec/switchback/service
COPY --from=build /out/switchback-shim /usr/libexec/switchback/switchback-shim
COPY --from=build /out/switchback /usr/bin/switchback
COPY Agents /usr/libexec/switchback/Agents
USER switchback
ENV SWITCHBACK_RUNNER_DIR=/var/lib/switchback SWITCHBACK_SHIM=/usr/libexec/switchback/switchback-shim
ENTRYPOINT ["/usr/libexec/switchback/service"]

# The command: `docker compose run --rm cli ps`.
FROM runtime AS cli
COPY --from=build /out/switchback /usr/bin/switchback
HEALTHCHECK NONE
ENTRYPOINT ["/usr/bin/switchback"]

# What is in the images: docker build --target sbom -t switchback/sbom . && docker run --rm switchback/sbom >sbom.cdx.json   (last: nobody else needs it)
FROM runner AS packages
USER root
RUN dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\n' >/packages.tsv

FROM build AS sbom
COPY scripts/sbom scripts/sbom
COPY --from=packages /packages.tsv /packages.tsv
RUN scripts/sbom --packages /packages.tsv >/sbom.cdx.json
ENTRYPOINT ["cat", "/sbom.cdx.json"]
