# The command `absurd` and the example worker, for docker-compose.yml.

FROM swift:6.3-noble AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libpq-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# Two packages take turns in one build folder, and a kept plan may be that of the other one.
RUN swift build -c release --disable-build-manifest-caching --product absurd --static-swift-stdlib \
    && swift build -c release --disable-build-manifest-caching --package-path Examples --scratch-path .build \
        --product OrderWorkflow --static-swift-stdlib \
    && install -D -t /install .build/release/absurd .build/release/OrderWorkflow

FROM ubuntu:noble
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libpq5 tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home absurd
COPY --from=build /install/ /usr/local/bin/
USER absurd
CMD ["absurd", "--help"]
