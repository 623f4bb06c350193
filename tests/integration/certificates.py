"""Certificates for tests, made by openssl: authorities, servers, services, and lists of those that
were revoked."""
import subprocess


class Authority:
    """Signs certificates; everything lies in `directory` under its name."""

    def __init__(self, directory, name="authority"):
        self.directory = directory
        self.name = name
        self.file = directory / f"{name}.pem"
        self.count = 0
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "3",
                      "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        (directory / f"{name}.index").write_text("")
        (directory / f"{name}.crlnumber").write_text("01\n")
        (directory / f"{name}.conf").write_text(
            f"[ca]\ndefault_ca = own\n[own]\ndatabase = {name}.index\n"
            f"crlnumber = {name}.crlnumber\ndefault_md = sha256\ndefault_crl_days = 3\n"
            f"certificate = {name}.pem\nprivate_key = {name}.key\n")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True,
                       capture_output=True, timeout=300)

    def issue(self, name, alternative="DNS:localhost,IP:127.0.0.1", days=2, purpose="serverAuth"):
        """NAME.pem and NAME.key; the two paths."""
        self.count += 1
        (self.directory / f"{name}.ext").write_text(
            f"subjectAltName={alternative}\nextendedKeyUsage={purpose}\n"
            "basicConstraints=CA:FALSE\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem", "-CAkey",
                      f"{self.name}.key", "-set_serial", str(1000 + self.count), "-days",
                      str(days), "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"

    def revoke(self, name):
        self._openssl("ca", "-config", f"{self.name}.conf", "-revoke", f"{name}.pem")

    def write_revoked(self):
        """The list of those that are revoked; its path."""
        self._openssl("ca", "-config", f"{self.name}.conf", "-gencrl", "-out",
                      f"{self.name}.crl")
        return self.directory / f"{self.name}.crl"
