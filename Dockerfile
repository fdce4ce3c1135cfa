FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY hack/bundle.mjs hack/
COPY src src
RUN node hack/bundle.mjs

# No shell and no package manager. Its user 65532 is nobody special; the agent's DaemonSet runs it as root, since the host's files are root's.
FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
COPY --from=build /build/dist/image/ ./
# The bundle is made of ES modules.
COPY --from=build /build/package.json ./
USER 65532:65532
ENV NODE_ENV=production
# Young objects get little room: what comes in from watches is thrown away at once, and 16 MB of it at a time would be kept around. The second optimizing
# compiler comes later than by default: it takes a tenth of the processor time of a start, and the first one's code is good enough for what is called
# less than 100,000 times. Here and not in NODE_OPTIONS, which the manifests set, and which does not take the second flag.
# Without source maps: Node.js holds those of a program of this size in some 80 MB from the first error on, and the bundle names its functions.
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=2", "--invocation-count-for-turbofan=100000", "/app/main.js"]
CMD ["operator"]
