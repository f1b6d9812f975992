# The command cbam in a container, for a user without rights; see docs/guide/installation.md.
#
#   docker build --tag cbam .                                 with MXNet for CPUs
#   docker build --tag cbam:cu117 --build-arg EXTRA=cu117 .   for NVIDIA GPUs, whose libraries come from the package index
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS tools
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ git libgomp1 libquadmath0 \
    && rm -rf /var/lib/apt/lists/*

FROM tools AS build
ARG EXTRA=cpu
COPY . /source
RUN /source/scripts/container/install "$EXTRA" /opt/cbam

FROM python:${PYTHON}-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 libquadmath0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home cbam
COPY --from=build /opt/cbam /opt/cbam
ENV PATH=/opt/cbam/bin:$PATH
USER cbam
WORKDIR /work
HEALTHCHECK --interval=5m --timeout=2m CMD ["cbam", "doctor"]
ENTRYPOINT ["cbam"]
CMD ["--help"]
