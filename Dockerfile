# docker build -t coverrank .
#
# Two stages: the first compiles the addon and the TypeScript, the second holds what runs.

FROM node:20-bookworm-slim AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The compilers' exact versions do not matter: none of them reaches the image.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app

# Packages and addon first: they change more rarely than the source. No script of a dependency runs; ours builds the
# one addon that has no prebuilt binary, against the headers that the image carries beside node.
COPY package.json package-lock.json .npmrc ./
COPY scripts scripts
RUN npm ci --ignore-scripts --no-audit --no-fund \
 && npm run native

COPY tsconfig.json ./
COPY src src
COPY console console
RUN npm run build \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
 && find node_modules/hnswlib-node/build -type f ! -path "*/build/Release/addon*.node" -delete \
 # onnxruntime-node carries the libraries of every platform, 240 MB of which this one cannot load.
 && find node_modules/onnxruntime-node/bin/napi-v6 -mindepth 2 -maxdepth 2 -type d \
      ! -path "*/linux/$(node -p process.arch)" -exec rm -rf {} +

FROM node:20-bookworm-slim
LABEL org.opencontainers.image.title="coverrank" \
      org.opencontainers.image.description="Online search ranking for short-video covers" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist/src dist/src
COPY --from=build /app/dist/public dist/public
COPY package.json LICENSE ./
COPY models models
COPY index/samples index/samples

# Listening beyond loopback needs keys (COVERRANK_API_KEYS) or COVERRANK_INSECURE=true: without either the service ends
# at once and says so. The image takes neither decision.
ENV NODE_ENV=production \
    COVERRANK_HOST=0.0.0.0 \
    COVERRANK_PORT=8080 \
    COVERRANK_DATA_DIR=/data
RUN mkdir /data && chown node:node /data
VOLUME /data
# The user node, by number so that Kubernetes can see that it is not root.
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.COVERRANK_PORT}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps", "dist/src/cli.js"]
CMD ["serve"]
