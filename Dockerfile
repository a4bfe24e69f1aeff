# Two stages: the first fetches what requirements.lock pins and checks every hash, the second holds
# only what csms needs to run.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock ./
RUN pip download --no-cache-dir --require-hashes --only-binary :all: \
    --dest /wheels --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY csms csms
COPY simulators simulators
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-index --find-links /wheels . \
    && /venv/bin/pip check

FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --no-create-home csms \
    && install --directory --owner csms --group csms /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CSMS_OCPP_HOST=0.0.0.0 \
    CSMS_API_HOST=0.0.0.0 \
    CSMS_DATABASE_URL=sqlite:////data/csms.db
USER csms
WORKDIR /data
VOLUME /data
EXPOSE 9000 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health', timeout=4)"]
ENTRYPOINT ["csms"]
CMD ["serve", "--config", "/etc/csms/station.json"]
