//! An RFC 3161 time stamp: the request, and whether a token is the answer to it.
//!
//! Checked here: status, imprint, nonce, the signed attributes, the signature by the certificate that the token names,
//! and, where a CA is given, the chain to it with the usage "time stamping" at the time that the token states.
//! Not checked: revocation, and policy and accuracy that the authority states.
#![forbid(unsafe_code)]

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256, Sha384, Sha512};
use webpki::{EndEntityCert, KeyUsage, ring};

use super::Authorities;
use super::der::{self, Der, Element};

/// id-sha256, id-sha384, id-sha512.
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
/// id-signedData.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// id-ct-TSTInfo.
const TST_INFO: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04,
];
/// id-contentType, id-messageDigest.
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// id-kp-timeStamping.
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// What signs tokens: RSA and ECDSA with SHA-2.
static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    ring::RSA_PKCS1_2048_8192_SHA256,
    ring::RSA_PKCS1_2048_8192_SHA384,
    ring::RSA_PKCS1_2048_8192_SHA512,
    ring::ECDSA_P256_SHA256,
    ring::ECDSA_P256_SHA384,
    ring::ECDSA_P384_SHA256,
    ring::ECDSA_P384_SHA384,
];

/// Why bytes are no time stamp of what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Not DER, or not the structure of RFC 3161.
    #[error("it is no time stamp: {0} is missing or malformed")]
    Malformed(&'static str),
    /// The authority says no; its PKIStatus.
    #[error("the authority refuses with status {0}")]
    Refused(u8),
    /// The imprint is not the digest that was to be stamped.
    #[error("it stamps something else")]
    Imprint,
    /// The nonce is not the request's.
    #[error("it answers another request: its nonce differs")]
    Nonce,
    /// The signed attributes or the signature over them.
    #[error("its signature does not hold: {0}")]
    Signature(String),
    /// No chain to an accepted CA.
    #[error("its signer is not certified by the configured CA for time stamping: {0}")]
    Chain(String),
}

/// What a token that holds says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The time that it states: Unix seconds.
    pub time_s: u64,
    /// Whether its signer was traced to a CA that was given; if not, anybody may have made it.
    pub traced: bool,
}

/// A TimeStampReq over this SHA-256, asking for the certificate.
#[must_use]
pub fn request(imprint: &[u8; 32], nonce: u64) -> Vec<u8> {
    let algorithm = der::sequence(&[der::write(der::OID, SHA256), vec![0x05, 0x00]]);
    der::sequence(&[
        der::write(der::INTEGER, &[1]),
        der::sequence(&[algorithm, der::write(der::OCTETS, imprint)]),
        der::write(der::INTEGER, &integer(nonce)),
        der::write(der::BOOLEAN, &[0xff]),
    ])
}

/// A number as DER writes it: as short as possible, never looking negative.
fn integer(n: u64) -> Vec<u8> {
    let bytes = n.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    let mut out = bytes.get(skip..).unwrap_or_default().to_vec();
    if out.first().is_some_and(|byte| *byte >= 0x80) {
        out.insert(0, 0);
    }
    out
}

/// Takes a TimeStampResp apart and checks it against what was asked. Gives the token in it, in DER, and what it says.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_response<'a>(
    response: &'a [u8],
    imprint: &[u8; 32],
    nonce: u64,
    authorities: &Authorities,
) -> Result<(&'a [u8], Stamp), BadToken> {
    let malformed = BadToken::Malformed;
    let mut outer = Der(response);
    let mut parts = outer
        .enter(der::SEQUENCE)
        .ok_or(malformed("the response"))?;
    let mut status = parts.enter(der::SEQUENCE).ok_or(malformed("its status"))?;
    match status.take(der::INTEGER).map(|status| status.body) {
        Some([0 | 1]) => {}
        Some([code]) => return Err(BadToken::Refused(*code)),
        _ => return Err(malformed("its status")),
    }
    let token = parts.take(der::SEQUENCE).ok_or(malformed("its token"))?;
    if !outer.0.is_empty() || !parts.0.is_empty() {
        return Err(malformed("its end"));
    }
    let (signed, info) = read(&token)?;
    if info.imprint != imprint {
        return Err(BadToken::Imprint);
    }
    if info.nonce != Some(&integer(nonce)) {
        return Err(BadToken::Nonce);
    }
    Ok((token.whole, signed.stamp(&info, authorities)?))
}

/// Checks a TimeStampToken as it lies in a ledger. Without `imprint` it may be over anything: then it shows that its
/// bytes were not there before its time, and nothing else.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_token(
    token: &[u8],
    imprint: Option<&[u8; 32]>,
    authorities: &Authorities,
) -> Result<Stamp, BadToken> {
    let malformed = BadToken::Malformed;
    let mut der = Der(token);
    let token = der.take(der::SEQUENCE).ok_or(malformed("the token"))?;
    if !der.0.is_empty() {
        return Err(malformed("its end"));
    }
    let (signed, info) = read(&token)?;
    if imprint.is_some_and(|imprint| info.imprint != imprint) {
        return Err(BadToken::Imprint);
    }
    signed.stamp(&info, authorities)
}

/// The time that a TimeStampToken states, unchecked: Unix seconds.
#[must_use]
pub fn stated(token: &[u8]) -> Option<u64> {
    let token = Der(token).take(der::SEQUENCE)?;
    seconds(Info::read(Signed::read(&token)?.info)?.time)
}

fn read<'a>(token: &Element<'a>) -> Result<(Signed<'a>, Info<'a>), BadToken> {
    let signed = Signed::read(token).ok_or(BadToken::Malformed("its SignedData"))?;
    let info = Info::read(signed.info).ok_or(BadToken::Malformed("its TSTInfo"))?;
    Ok((signed, info))
}

/// What TSTInfo says.
struct Info<'a> {
    imprint: &'a [u8],
    time: &'a [u8],
    nonce: Option<&'a [u8]>,
}

impl<'a> Info<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let mut parts = Der(der).enter(der::SEQUENCE)?;
        let _version = parts.take(der::INTEGER)?;
        let _policy = parts.take(der::OID)?;
        let mut imprint = parts.enter(der::SEQUENCE)?;
        if imprint.enter(der::SEQUENCE)?.take(der::OID)?.body != SHA256 {
            return None;
        }
        let imprint = imprint.take(der::OCTETS)?.body;
        let _serial = parts.take(der::INTEGER)?;
        let time = parts.take(der::TIME)?.body;
        let _accuracy = parts.take(der::SEQUENCE);
        let _ordering = parts.take(der::BOOLEAN);
        let nonce = parts.take(der::INTEGER).map(|nonce| nonce.body);
        Some(Self {
            imprint,
            time,
            nonce,
        })
    }
}

/// What SignedData holds, with its one signer.
struct Signed<'a> {
    /// TSTInfo.
    info: &'a [u8],
    certificates: Vec<CertificateDer<'a>>,
    digest_algorithm: &'a [u8],
    /// The signed attributes with their `[0]`.
    attributes: Element<'a>,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn read(token: &Element<'a>) -> Option<Self> {
        let mut content = Der(token.body);
        if content.take(der::OID)?.body != SIGNED_DATA {
            return None;
        }
        let mut data = content.enter(der::context(0))?.enter(der::SEQUENCE)?;
        let _version = data.take(der::INTEGER)?;
        let _algorithms = data.take(der::SET)?;
        let mut inner = data.enter(der::SEQUENCE)?;
        if inner.take(der::OID)?.body != TST_INFO {
            return None;
        }
        let info = inner.enter(der::context(0))?.take(der::OCTETS)?.body;
        let mut certificates = Vec::new();
        let mut certs = data.enter(der::context(0)).unwrap_or(Der(&[]));
        while let Some(certificate) = certs.next() {
            certificates.push(CertificateDer::from(certificate.whole));
        }
        let _lists = data.take(der::context(1));
        let mut signers = data.enter(der::SET)?;
        let mut signer = signers.enter(der::SEQUENCE)?;
        if !signers.0.is_empty() {
            return None;
        }
        let _version = signer.take(der::INTEGER)?;
        let _who = signer.next()?;
        let digest_algorithm = signer.enter(der::SEQUENCE)?.take(der::OID)?.body;
        let attributes = signer.take(der::context(0))?;
        let _algorithm = signer.take(der::SEQUENCE)?;
        let signature = signer.take(der::OCTETS)?.body;
        Some(Self {
            info,
            certificates,
            digest_algorithm,
            attributes,
            signature,
        })
    }

    fn digest(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self.digest_algorithm {
            SHA256 => Some(Sha256::digest(bytes).to_vec()),
            SHA384 => Some(Sha384::digest(bytes).to_vec()),
            SHA512 => Some(Sha512::digest(bytes).to_vec()),
            _ => None,
        }
    }

    /// The value of a signed attribute that occurs once with one value.
    fn attribute(&self, wanted: &[u8]) -> Option<Element<'a>> {
        let mut found = None;
        let mut attributes = Der(self.attributes.body);
        while let Some(mut attribute) = attributes.enter(der::SEQUENCE) {
            if attribute.take(der::OID)?.body != wanted {
                continue;
            }
            let mut values = attribute.enter(der::SET)?;
            let value = values.next()?;
            if found.is_some() || !values.0.is_empty() {
                return None;
            }
            found = Some(value);
        }
        found
    }

    /// What it says, once the signature holds and its signer is traced.
    fn stamp(&self, info: &Info<'_>, authorities: &Authorities) -> Result<Stamp, BadToken> {
        let time_s = seconds(info.time).ok_or(BadToken::Malformed("its time"))?;
        self.verify(time_s, &authorities.0)?;
        let traced = !authorities.0.is_empty();
        Ok(Stamp { time_s, traced })
    }

    fn verify(&self, time_s: u64, ca: &[CertificateDer<'_>]) -> Result<(), BadToken> {
        let wrong = |why: &str| BadToken::Signature(why.to_owned());
        if self.attribute(CONTENT_TYPE).map(|value| value.body) != Some(TST_INFO) {
            return Err(wrong("it is over another type of content"));
        }
        let digest = self
            .digest(self.info)
            .ok_or_else(|| wrong("a digest that is not of SHA-2"))?;
        if self.attribute(MESSAGE_DIGEST).map(|value| value.body) != Some(&digest[..]) {
            return Err(wrong("it is over another content"));
        }
        // Signed is the set under its own tag, not under the `[0]` that stands in the token.
        let mut message = self.attributes.whole.to_vec();
        if let Some(tag) = message.first_mut() {
            *tag = der::SET;
        }
        let mut why = "the token names no certificate".to_owned();
        for certificate in &self.certificates {
            let Ok(signer) = EndEntityCert::try_from(certificate) else {
                continue;
            };
            let holds = ALGORITHMS.iter().any(|algorithm| {
                signer
                    .verify_signature(*algorithm, &message, self.signature)
                    .is_ok()
            });
            if holds {
                return self.chain(&signer, time_s, ca);
            }
            "none of its certificates made it".clone_into(&mut why);
        }
        Err(BadToken::Signature(why))
    }

    fn chain(
        &self,
        signer: &EndEntityCert<'_>,
        time_s: u64,
        ca: &[CertificateDer<'_>],
    ) -> Result<(), BadToken> {
        if ca.is_empty() {
            return Ok(());
        }
        let chain = |why: webpki::Error| BadToken::Chain(why.to_string());
        let anchors: Vec<TrustAnchor<'_>> = ca
            .iter()
            .map(webpki::anchor_from_trusted_cert)
            .collect::<Result<_, _>>()
            .map_err(chain)?;
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(time_s));
        signer
            .verify_for_usage(
                ALGORITHMS,
                &anchors,
                &self.certificates,
                time,
                KeyUsage::required(TIME_STAMPING),
                None,
                None,
            )
            .map(drop)
            .map_err(chain)
    }
}

/// GeneralizedTime as RFC 3161 writes it, `20261121143000Z` with or without a fraction, in Unix seconds.
fn seconds(time: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(time).ok()?;
    let (whole, rest) = text.split_at_checked(14)?;
    let fraction = rest.strip_suffix('Z')?;
    let fraction = fraction.is_empty() || fraction.starts_with('.');
    let part = |from: usize, to: usize| -> Option<u64> {
        let digits = whole.get(from..to)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| all)
    };
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    if !fraction || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1 January 1970 to a date of the Gregorian calendar that exists; `None` for any other, and for earlier ones.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let february = if leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month.checked_sub(1)?).ok()?;
    if year < 1970 || day == 0 || day > *lengths.get(before)? {
        return None;
    }
    let past = (1970..year).map(|year| if leap(year) { 366 } else { 365 });
    Some(past.sum::<u64>() + lengths.iter().take(before).sum::<u64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_request_is_the_one_that_openssl_makes() {
        // `openssl ts -query -digest 00…1f -sha256 -cert`, with the nonce written in.
        let imprint: [u8; 32] = std::array::from_fn(|i| i as u8);
        let request = request(&imprint, 0x8000_0000_0000_0001);
        let mut expected = vec![
            0x30, 0x44, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09,
        ];
        expected.extend_from_slice(SHA256);
        expected.extend_from_slice(&[0x05, 0x00, 0x04, 0x20]);
        expected.extend_from_slice(&imprint);
        expected.extend_from_slice(&[
            0x02, 0x09, 0x00, 0x80, 0, 0, 0, 0, 0, 0, 0x01, 0x01, 0x01, 0xff,
        ]);
        assert_eq!(request, expected);
    }

    #[test]
    fn a_time_is_read_as_it_is_written() {
        assert_eq!(seconds(b"20261121143000Z"), Some(1_795_271_400));
        assert_eq!(seconds(b"20261121143000.123Z"), Some(1_795_271_400));
        for bad in [
            "",
            "20261121143000",
            "20261121143000+0100",
            "20261321143000Z",
            "2026112114300xZ",
            "20260229000000Z",
            "20261100000000Z",
            "20261101240000Z",
            "19691231235959Z",
            "+0261121143000Z",
        ] {
            assert_eq!(seconds(bad.as_bytes()), None, "{bad}");
        }
        // `date -u -d 2000-02-29T23:59:59 +%s`, and 2100, which is no leap year.
        assert_eq!(seconds(b"20000229235959Z"), Some(951_868_799));
        assert_eq!(seconds(b"21000301000000Z"), Some(4_107_542_400));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(check_response(&bytes, &[0; 32], 1, &Authorities::none()).is_err());
            prop_assert!(check_token(&bytes, None, &Authorities::none()).is_err());
        }
    }
}
