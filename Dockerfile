# Postern in a container. The Node that serves is the one that the lock file pins; that of the first
# stage only runs npm.
#
#   docker build -t postern .
#   docker run --rm -v ./postern.yaml:/etc/postern/config.yaml:ro -v postern:/postern/state \
#     postern serve --config /etc/postern/config.yaml
#
# It listens on the container's own loopback unless the configuration says otherwise: for a sidecar,
# which shares it with its service, that is what is wanted (deploy/kubernetes.yaml).
FROM node:26.9.0-bookworm-slim AS packages
WORKDIR /postern
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM debian:13.5-slim
# Node's binary is linked against it, and the slim image lacks it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libatomic1 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /postern
COPY --from=packages /postern/node_modules node_modules/
COPY package.json LICENSE ./
COPY bin/postern.js bin/
COPY catalogues catalogues/
COPY bundles bundles/
COPY src src/
# The directory, last good bundles and the control socket: all that is written.
RUN mkdir --mode=0700 state && chown 10001:10001 state
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["/postern/node_modules/node/bin/node", "-e", "fetch('http://127.0.0.1:8282/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/postern/node_modules/node/bin/node", "/postern/bin/postern.js"]
CMD ["serve"]
