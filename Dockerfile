# For people who have Docker; `./dev image` makes the same without. The digest
# of this one differs from build to build, that of ./dev image does not.
FROM debian:bookworm AS build
COPY . /linsey
WORKDIR /linsey
RUN ./dev bootstrap && ./dev build release

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
      bird2 ca-certificates libcurl4 libnftables1 libsqlite3-0 libssl3 \
      libstdc++6 libyaml-cpp0.7 && rm -rf /var/lib/apt/lists/*
COPY --from=build /linsey/build/release/plugin/linsey /usr/lib/linsey/linsey
COPY --from=build /linsey/build/release/install/linsey-install /usr/lib/linsey/linsey-install
COPY --from=build /linsey/build/release/agent/linseyd /usr/sbin/linseyd
COPY --from=build /linsey/build/release/ctl/linseyctl /usr/bin/linseyctl
RUN ln /usr/lib/linsey/linsey /usr/lib/linsey/loopback
ENTRYPOINT ["/usr/sbin/linseyd"]
