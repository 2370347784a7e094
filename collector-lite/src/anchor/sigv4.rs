//! AWS Signature Version 4 for requests with a small body: what S3 and everything that speaks like it asks for.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// An access key and its secret. `Debug` keeps the secret to itself.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) access: String,
    pub(crate) secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// A request to be signed.
#[derive(Debug)]
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    /// From the slash on, not encoded.
    pub(crate) path: &'a str,
    /// Not encoded, in any order.
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// Further headers, names in lower case; all of them are signed.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    pub(crate) region: &'a str,
    /// `20150830T123600Z`.
    pub(crate) time: &'a str,
}

impl Unsigned<'_> {
    /// The path with its query as they go over the wire.
    pub(crate) fn target(&self) -> String {
        let query = self.canonical_query();
        let path = encode(self.path, true);
        if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }
    }

    /// The headers that make the request a signed one; the host is set by whoever sends it.
    pub(crate) fn sign(&self, credentials: &Credentials) -> Vec<(String, String)> {
        let digest = hex(&Sha256::digest(self.body));
        let mut headers: Vec<(String, String)> = self
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        headers.push(("x-amz-content-sha256".to_owned(), digest.clone()));
        let authorization = self.authorization(credentials, &headers, &digest);
        headers.push(("x-amz-date".to_owned(), self.time.to_owned()));
        headers.push(("authorization".to_owned(), authorization));
        headers
    }

    fn authorization(
        &self,
        credentials: &Credentials,
        headers: &[(String, String)],
        digest: &str,
    ) -> String {
        let mut all: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        all.push(("host", self.host));
        all.push(("x-amz-date", self.time));
        all.sort_unstable();
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = all
            .iter()
            .map(|(name, value)| format!("{name}:{}\n", value.trim()))
            .collect();
        let canonical = format!(
            "{}\n{}\n{}\n{lines}\n{names}\n{digest}",
            self.method,
            encode(self.path, true),
            self.canonical_query()
        );
        let day = self.time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            self.time,
            hex(&Sha256::digest(canonical))
        );
        let key = [day, self.region, "s3", "aws4_request"].iter().fold(
            format!("AWS4{}", credentials.secret).into_bytes(),
            |key, part| hmac(&key, part.as_bytes()).to_vec(),
        );
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={}",
            credentials.access,
            hex(&hmac(&key, to_sign.as_bytes()))
        )
    }

    fn canonical_query(&self) -> String {
        let mut pairs: Vec<(String, String)> = self
            .query
            .iter()
            .map(|(name, value)| (encode(name, false), encode(value, false)))
            .collect();
        pairs.sort_unstable();
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("&")
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Percent-encoding as the signature wants it: everything but letters, digits and `-_.~`, and slashes in a path.
fn encode(text: &str, path: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte))
            }
            b'/' if path => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples that AWS publishes for S3 ("Authenticating Requests: Using the Authorization Header").
    fn example(
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        let credentials = Credentials {
            access: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        };
        let unsigned = Unsigned {
            method,
            host: "examplebucket.s3.amazonaws.com",
            path,
            query,
            headers,
            body,
            region: "us-east-1",
            time: "20130524T000000Z",
        };
        let signed = unsigned.sign(&credentials);
        let authorization = signed
            .iter()
            .find(|(name, _)| name == "authorization")
            .unwrap();
        authorization.1.rsplit('=').next().unwrap().to_owned()
    }

    #[test]
    fn the_published_examples_get_their_published_signatures() {
        assert_eq!(
            example("GET", "/test.txt", &[], &[("range", "bytes=0-9")], b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let put = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ];
        assert_eq!(
            example(
                "PUT",
                "/test$file.text",
                &[],
                &put,
                b"Welcome to Amazon S3."
            ),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
        assert_eq!(
            example("GET", "/", &[("lifecycle", "")], &[], b""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            example("GET", "/", &[("prefix", "J"), ("max-keys", "2")], &[], b""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }
}
