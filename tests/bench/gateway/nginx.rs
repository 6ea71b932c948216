//! nginx as a plain proxy before the same upstream: what the way through any proxy costs.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// A running nginx.
pub(super) struct Nginx {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Nginx {
    /// `None` where nginx is not installed.
    pub(super) async fn start(folder: &Path, upstream: SocketAddr) -> Result<Option<Self>> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let root = folder.display();
        // As many workers as processors, connections to the upstream kept, nothing buffered, nothing logged.
        let config = format!(
            "daemon off; worker_processes auto; pid {root}/pid; error_log {root}/error.log crit;\n\
             events {{ worker_connections 8192; }}\n\
             http {{\n\
               access_log off; keepalive_requests 1000000;\n\
               client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;\n\
               uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;\n\
               upstream chat {{ server {upstream}; keepalive 256; keepalive_requests 1000000; }}\n\
               server {{\n\
                 listen {address};\n\
                 location / {{\n\
                   proxy_pass http://chat; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;\n\
                 }}\n\
               }}\n\
             }}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config)?;
        let mut command = Command::new("nginx");
        command
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(folder.join("error.log"));
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("nginx"),
        };
        for _ in 0..100 {
            if TcpStream::connect(address).await.is_ok() {
                return Ok(Some(Self { child, address }));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("nginx does not listen")
    }
}

impl Drop for Nginx {
    /// Its workers end with it when it is asked, not when it is killed.
    fn drop(&mut self) {
        if let Some(pid) = self.child.id() {
            std::process::Command::new("kill")
                .arg(pid.to_string())
                .status()
                .ok();
        }
    }
}
