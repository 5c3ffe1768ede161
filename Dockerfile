# The service as one image: web, worker and migrations are its commands (see docker-compose.yml).

FROM node:22-bookworm-slim AS assets
WORKDIR /build/frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.13-slim-trixie AS build
WORKDIR /build
RUN python -m venv /opt/gridwhistle
COPY requirements/ requirements/
RUN /opt/gridwhistle/bin/pip install --no-cache-dir --require-hashes -r requirements/uv.lock \
    && /opt/gridwhistle/bin/uv pip install --no-cache -p /opt/gridwhistle --require-hashes -r requirements/run.lock
COPY . .
COPY --from=assets /build/frontend/node_modules frontend/node_modules
RUN python -m api.vendor \
    && /opt/gridwhistle/bin/uv pip install --no-cache -p /opt/gridwhistle --no-deps --no-build-isolation . \
    && /opt/gridwhistle/bin/uv pip uninstall -p /opt/gridwhistle uv setuptools pip

FROM python:3.13-slim-trixie
# PostgreSQL's client programs, of the same number as the server in docker-compose.yml, for backup and restore,
# and the font that letters and slips embed.
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-wqy-microhei postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home gridwhistle
COPY --from=build /opt/gridwhistle /opt/gridwhistle
ENV PATH=/opt/gridwhistle/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GRID_HOST=0.0.0.0
USER gridwhistle
WORKDIR /home/gridwhistle
EXPOSE 8080
ENTRYPOINT ["gridwhistle"]
CMD ["serve"]
