//! The forms that inputs are put into before they are read: files whose checksums and lengths are right.

use std::io::Write as _;
use std::path::Path;

use factscope::session::VERSION;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use flate2::{Compression, Crc};
use sha2::{Digest as _, Sha256};

/// How many bytes a session file has before its data.
pub const N_SESSION_HEAD: usize = 12 + 4 + 8 + 32;

/// A session file with these data.
pub fn session(data: &[u8]) -> Vec<u8> {
    let data = packed(data);
    let (version, len) = (VERSION.to_le_bytes(), (data.len() as u64).to_le_bytes());
    [b"factscope\r\n\x1a", &version[..], &len, &Sha256::digest(&data), &data].concat()
}

pub fn packed(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A PNG that carries a record.
pub fn png(record: &[u8]) -> Vec<u8> {
    let chunk = [&b"iTXtfactscope\0\x01\0\0\0"[..], &packed(record)].concat();
    let mut crc = Crc::new();
    crc.update(&chunk);
    let (len, sum) = ((chunk.len() as u32 - 4).to_be_bytes(), crc.sum().to_be_bytes());
    [&b"\x89PNG\r\n\x1a\n"[..], &len, &chunk, &sum, b"\0\0\0\0IEND\xaeB`\x82"].concat()
}

/// A zip archive: `.npy` compressed as numpy does, other files as they are.
pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let mut crc = Crc::new();
        crc.update(bytes);
        let (method, stored) = if Path::new(name).extension().is_some_and(|it| it == "npy") {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            (8_u16, encoder.finish().unwrap())
        } else {
            (0, bytes.to_vec())
        };
        let fields = [
            &[20, 0, 0, 0][..],
            &method.to_le_bytes(),
            &[0; 4],
            &crc.sum().to_le_bytes(),
            &(stored.len() as u32).to_le_bytes(),
            &(bytes.len() as u32).to_le_bytes(),
            &(name.len() as u16).to_le_bytes(),
            &[0; 2],
        ]
        .concat();
        let start = (archive.len() as u32).to_le_bytes();
        directory
            .extend([b"PK\x01\x02\x14\0", &fields[..], &[0; 10], &start, name.as_bytes()].concat());
        archive.extend([b"PK\x03\x04", &fields[..], name.as_bytes(), &stored].concat());
    }
    let start = (archive.len() as u32).to_le_bytes();
    let (n, len) = ((files.len() as u16).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    [&archive[..], &directory, b"PK\x05\x06\0\0\0\0", &n, &n, &len, &start, &[0; 2]].concat()
}
