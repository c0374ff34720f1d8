# syntax=docker/dockerfile:1
# The daemon and its command line; the sandbox and the tests stay outside.

FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM node:20-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:20-slim
# Two arenas: glibc gives every thread one of its own otherwise, which costs about 10 MB of resident memory.
ENV NODE_ENV=production \
    MALLOC_ARENA_MAX=2 \
    WALBRIDGE_CONFIG=/etc/walbridge/config/walbridge.yaml
WORKDIR /app
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# `docker compose exec walbridge walbridge status`
RUN chmod 755 dist/cli/main.js && ln -s /app/dist/cli/main.js /usr/local/bin/walbridge
USER node
# /metrics, /healthz and /readyz, where http.listen says so.
EXPOSE 9464
# Asks this container's own daemon at http.listen; without it, source, queue and warehouse, as `walbridge status` does.
HEALTHCHECK --interval=30s --timeout=25s --start-period=60s --retries=3 \
  CMD ["walbridge", "health"]
ENTRYPOINT ["walbridge"]
CMD ["run"]
