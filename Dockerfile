# One file for the three services and the card gateway; APP says which:
#   docker build --build-arg APP=order --tag faultline-order .
# It needs no BuildKit. Start with an init (docker run --init, init: true): as process 1 Node would ignore signals that
# it does not handle, its own SIGKILL among them.
ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-slim AS manifests
WORKDIR /faultline
COPY . .
# What npm reads, and nothing else: a changed source leaves the layers with the packages as they are.
RUN mkdir /manifests \
  && find . -name package.json -o -name package-lock.json -o -name .npmrc > /files \
  && xargs --arg-file=/files cp --parents --target-directory=/manifests

# The compiler's output, and of each package only what runs.
FROM node:${NODE_VERSION}-slim AS build
WORKDIR /faultline
ENV NX_DAEMON=false NX_TUI=false NX_NO_CLOUD=true
COPY --from=manifests /manifests .
RUN npm ci --ignore-scripts
COPY . .
RUN npx nx run-many -t build -p order,payment,inventory,payment-gateway --output-style=static
# Migrations are links into libs/transactions: they are followed.
RUN mkdir /built \
  && find apps libs -name package.json -o -name migrations -type d > /files \
  && find apps libs -name dist -type d >> /files \
  && xargs --arg-file=/files cp --parents --recursive --dereference --target-directory=/built \
  && find /built -type f \( -name '*.d.ts' -o -name '*.map' \) -delete

# Without --legacy-peer-deps npm would install what @prisma/client would like beside it: Prisma's command line,
# TypeScript, a studio, 250 MB. Of the query compilers, one per database, only Postgres's is kept.
FROM node:${NODE_VERSION}-slim AS packages
WORKDIR /faultline
COPY --from=manifests /manifests .
RUN npm ci --omit=dev --legacy-peer-deps --ignore-scripts \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
  && find node_modules/@prisma/client/runtime -regextype egrep \
    -regex '.*\.(cockroachdb|mysql|sqlite|sqlserver)\..*' -delete

FROM node:${NODE_VERSION}-slim
ENV NODE_ENV=production
WORKDIR /faultline
COPY --from=packages /faultline/node_modules node_modules
COPY --from=build /built/libs libs
COPY infra/docker/with-token.sh infra/docker/is-ready.mjs ./
# A volume mounted here takes over the owner.
RUN install --directory --owner=1000 --group=1000 /run/faultline /var/lib/faultline
ARG APP
RUN case "$APP" in order|payment|inventory|payment-gateway) ;; *) \
  echo "APP is '$APP'; it must be order, payment, inventory or payment-gateway: --build-arg APP=order" >&2; exit 1;; esac
COPY --from=build /built/apps/${APP} apps/${APP}
WORKDIR /faultline/apps/${APP}
# Node; by number, so that an orchestrator can tell that it is not root.
USER 1000:1000
ENTRYPOINT ["sh", "/faultline/with-token.sh"]
# The memory that npm start gives a service, too (infra/local/services.mjs).
CMD ["node", "--max-old-space-size=192", "--max-semi-space-size=8", "dist/main.js"]
