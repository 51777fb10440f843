# The image of the five Python services, the canary and ops. SERVICE is the name, FOLDER its folder. The build context is
# the root of the checkout.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ARG SERVICE
ARG FOLDER=services/${SERVICE}
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=/opt/webchat
WORKDIR /build
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends binutils >/dev/null

# Install uv, verified by its hash, then the service's requirements with the versions and hashes of the lock.
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    awk '/^uv==/ { wanted = 1 } wanted { print } wanted && !/\\$/ { exit }' requirements.lock >uv.lock \
    && pip install --quiet --disable-pip-version-check --root-user-action=ignore --require-hashes --requirement uv.lock
COPY shared/pyproject.toml shared/
COPY ${FOLDER}/pyproject.toml service/
RUN --mount=type=cache,target=/root/.cache/uv \
    sed -i '/"webchat-shared"/d' service/pyproject.toml \
    && uv venv --quiet --python "$(command -v python)" "$VIRTUAL_ENV" \
    && uv pip install --quiet --require-hashes --constraint requirements.lock \
        --requirement shared/pyproject.toml --requirement service/pyproject.toml
# Remove unused files: tests of packages, C sources, debug symbols, and botocore's data for AWS services other than S3 and
# its credentials.
RUN cd "$VIRTUAL_ENV"/lib/python*/site-packages \
    && find . -type d \( -name tests -o -name testing \) -prune -exec rm -r {} + \
    && find . -type f \( -name '*.c' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.h' \) -delete \
    && find . -name '*.so' -exec strip --strip-debug {} + \
    && [ ! -d botocore ] || find botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} +
COPY deploy/sbom.py ./
RUN python sbom.py requirements.lock "$VIRTUAL_ENV"/lib/python*/site-packages >"$VIRTUAL_ENV/sbom.cdx.json"

COPY shared/src source/src
COPY ${FOLDER} source
RUN rm -r source/src/shared/testing \
    && python -m compileall -q -j 0 source/src \
    && printf '#!/bin/sh\nexec python -P -m %s "$@"\n' "$(printf '%s' "$SERVICE" | tr - _)" >"$VIRTUAL_ENV/bin/webchat" \
    && chmod +x "$VIRTUAL_ENV/bin/webchat"

FROM ${PYTHON_IMAGE}
ARG SERVICE
ARG VERSION
LABEL org.opencontainers.image.title="WebChat ${SERVICE}" \
      org.opencontainers.image.version="${VERSION}"
ENV PATH=/opt/webchat/bin:$PATH \
    PYTHONPATH=/srv/webchat/src \
    PYTHONUNBUFFERED=1 \
    USER=webchat \
    LISTEN_HOST=0.0.0.0 \
    LISTEN_PORT=8000
COPY --from=build /opt/webchat /opt/webchat
COPY --from=build /build/source /srv/webchat
COPY --chmod=755 deploy/healthy.sh /opt/webchat/bin/healthy
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["/opt/webchat/bin/healthy", "/healthz"]
ENTRYPOINT ["webchat"]
