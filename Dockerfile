# fn on a GPU. Built and tested where the compilers are, run where they are not, by a user who is not root.
#   docker build -t fn .
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v /data:/data fn \
#          fn-train --store /data/db --models_base_dir /data/models --logs_base_dir /data/logs
#   Other images of Debian or Ubuntu with CUDA and cuDNN: --build-arg DEVEL=IMAGE --build-arg RUNTIME=IMAGE.
ARG CUDA=13.0.1
ARG SYSTEM=ubuntu24.04
ARG DEVEL=nvidia/cuda:${CUDA}-cudnn-devel-${SYSTEM}
ARG RUNTIME=nvidia/cuda:${CUDA}-cudnn-runtime-${SYSTEM}

FROM ${DEVEL} AS build
WORKDIR /src
COPY samples/setup.sh samples/image.sh samples/
RUN samples/image.sh packages
COPY . .
RUN samples/image.sh build
RUN samples/image.sh test
RUN samples/image.sh install /opt/fn

FROM ${RUNTIME}
COPY --from=build /opt/fn /opt/fn
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(cat /opt/fn/packages) \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home fn
ENV PATH=/opt/fn/bin:$PATH
USER fn
WORKDIR /home/fn
CMD ["fn-train", "--help"]
