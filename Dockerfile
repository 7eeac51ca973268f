# The server with its default weights: `docker build -t soundalike .`
FROM python:3.12-slim-trixie AS build
RUN apt-get update && apt-get install --yes --no-install-recommends tini
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY server server
RUN python -m venv /opt/soundalike \
 && /opt/soundalike/bin/pip install --no-cache-dir --disable-pip-version-check '.[whisper-base,japanese]' \
 && /opt/soundalike/bin/pip uninstall --yes pip

FROM python:3.12-slim-trixie
# Whoever gets in finds nothing here to install more with.
RUN pip uninstall --yes --root-user-action=ignore pip \
 && useradd --uid 1000 --no-create-home soundalike \
 && install --directory --owner soundalike --group soundalike /models
COPY --from=build /usr/bin/tini /usr/bin/tini
COPY --from=build /opt/soundalike /opt/soundalike
ENV PATH=/opt/soundalike/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SOUNDALIKE_HOST=0.0.0.0 \
    SOUNDALIKE_MODELS=/models
USER soundalike
VOLUME /models
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
# Weights come out of the installed wheels into /models at the first start. Because it listens
# beyond loopback, the server asks for SOUNDALIKE_API_KEYS (or SOUNDALIKE_ALLOW_KEYLESS=true).
# tini takes up what a killed process leaves to nobody, which the server, as the first one, would not.
ENTRYPOINT ["tini", "--", "soundalike"]
CMD ["serve"]
