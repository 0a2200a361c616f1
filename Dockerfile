# SPDX-License-Identifier: Apache-2.0
# mien with its models: docs/how-to/docker.md. Nothing is downloaded when it runs.
FROM python:3.13-slim

ARG EXTRAS=""
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# The version is that of this checkout.
# hadolint ignore=DL3013
RUN python -m pip install --no-cache-dir ".${EXTRAS}" && rm -rf /build/*

RUN useradd --create-home --uid 10001 mien
USER 10001
WORKDIR /data
ENTRYPOINT ["mien"]
CMD ["--help"]
