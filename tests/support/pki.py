"""Certificates of all kinds for tests: a CA, certificates with any validity, revocation lists."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"
DAY = timedelta(days=1)


class Authority:
    """A CA whose files are in a folder: `ca.pem`, and what `issue` and `revoke` write."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca = trustme.CA(organization_name=name)
        self.file = folder / f"{name}.pem"
        self.ca.cert_pem.write_to_path(self.file)

    def issue(
        self,
        name: str,
        *identities: str,
        common_name: str | None = None,
        days: tuple[float, float] = (-1, 90),
        now: datetime | None = None,
    ) -> Path:
        """`name`.pem (with `name`.key beside it), valid for these days around now. Returns the .pem."""
        now = now or datetime.now(UTC)
        leaf = self.ca.issue_cert(
            *(identities or (() if common_name else (HOST,))),
            common_name=common_name,
            not_before=now + days[0] * DAY,
            not_after=now + days[1] * DAY,
        )
        file = self.folder / f"{name}.pem"
        leaf.private_key_pem.write_to_path(file.with_suffix(".key"))
        leaf.cert_chain_pems[0].write_to_path(file)
        return file

    def revoke(self, *files: Path, days: float = 30) -> Path:
        """`crl.pem` with these certificates, to be replaced after so many days."""
        now = datetime.now(UTC)
        key = serialization.load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        issuer = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes())
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=issuer.subject, last_update=now - DAY, next_update=now + days * DAY
        )
        for file in files:
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
            revoked = x509.RevokedCertificateBuilder(certificate.serial_number, now - DAY).build()
            builder = builder.add_revoked_certificate(revoked)
        path = self.folder / "crl.pem"
        path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path
