# Two images from one recipe, built in the folder of the repository (docker/compose.yaml does it):
#   embedded   the embedded CARLA server, and the probe that the health checks run; no PyTorch
#   bench      everything: the main job, training, Ray, videos, SuperTuxKart with its data
# Both run on any x86-64 Linux without a GPU. The licence of PySuperTuxKart2 and of SuperTuxKart's data (GPL-3.0, data
# partly CC BY-SA) binds whoever passes the image `bench` on.
ARG BASE=debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171

# hadolint ignore=DL3006 -- BASE above carries tag and digest
FROM ${BASE} AS python
# Debian's mirrors keep only the newest version of a package, so naming one would break the build within weeks.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libegl-mesa0 libegl1 libgl1 libgl1-mesa-dri libglib2.0-0 python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin bench \
    && install -d -o bench -g bench /results /home/bench/.cache
ENV PATH=/opt/bench/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

FROM python AS embedded-libraries
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/bench
WORKDIR /build
COPY constraints.txt pyproject.toml setup.py README.md LICENSE ./
COPY agents agents
COPY distill distill
COPY envs envs
COPY evaluation evaluation
COPY sim2real_bench sim2real_bench
# The client of CoppeliaSim's remote API makes this image the probe for CoppeliaSim, too.
RUN pip install --no-cache-dir -c constraints.txt ".[carla]" coppeliasim_zmqremoteapi_client

FROM embedded-libraries AS bench-libraries
# PyTorch for processors: from PyPI it would bring 3 GB of CUDA libraries that no part of this image can use.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --index-url "${TORCH_INDEX}" --no-deps torch==2.13.0 \
    && pip install --no-cache-dir -c constraints.txt ".[stk,carla,train,cluster,plot,video]"

FROM python AS embedded
COPY --from=embedded-libraries /opt/bench /opt/bench
USER 10001:10001
WORKDIR /results
ENTRYPOINT ["sim2real-bench"]
CMD ["serve", "carla", "--host", "0.0.0.0", "--port", "2000"]

FROM python AS bench
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends supertuxkart-data \
    && rm -rf /var/lib/apt/lists/*
COPY --from=bench-libraries /opt/bench /opt/bench
USER 10001:10001
WORKDIR /results
ENTRYPOINT ["sim2real-bench"]
CMD ["evaluate", "--source", "stk", "--target", "carla"]
