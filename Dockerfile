# Builds the server on Debian 12 and ships the one binary with the libraries it is linked to.
FROM debian:12-slim AS build
ENV DEBIAN_FRONTEND=noninteractive
WORKDIR /src
COPY scripts/packages scripts/packages
RUN apt-get update \
 && apt-get install -y --no-install-recommends $(scripts/packages build) \
 && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY benchmarks benchmarks
COPY include include
COPY migrations migrations
COPY src src
RUN cmake --preset release -DBELFRY_TESTS=OFF \
 && cmake --build --preset release --target belfry \
 && strip build/release/belfry

FROM debian:12-slim
ENV DEBIAN_FRONTEND=noninteractive
COPY scripts/packages /tmp/packages
RUN apt-get update \
 && apt-get install -y --no-install-recommends $(sh /tmp/packages runtime) \
 && rm -rf /var/lib/apt/lists/* /tmp/packages \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin belfry
COPY --from=build /src/build/release/belfry /usr/local/bin/belfry
USER belfry
ENV BELFRY_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["belfry", "health"]
# SIGTERM drains: clients are told, then closed with 1012. Give it the time.
STOPSIGNAL SIGTERM
ENTRYPOINT ["belfry"]
CMD ["serve"]
