"""The labels that say what a number is, in Portuguese, English and other European languages.

Labels are in lower case without accents; words of a text are folded the same way before they are
looked up. A phrase of up to three words takes precedence over its first word: "placa de video" is
a graphics card, not a number plate.
"""

from __future__ import annotations

# Labels of numbers that are no personal data: a number behind one belongs to it.
OTHER_FAMILY = "other"

_FAMILIES: dict[str, str] = {
    "phone": """tel,tels,telef,telefone,telefones,telefonico,fone,fones,celular,celulares,cel,zap,
        zapzap,whats,whatsapp,wpp,wapp,contato,contatos,contacto,telemovel,telemoveis,tlm,ramal,recado,
        ligar,liga,ligue,liguem,ligando,liguei,ligou,ligaram,ligacao,chamar,chama,chame,chamem,
        sms,torpedo,disque,numero novo,novo numero,meu numero,seu numero,telegram,
        phone,phones,telephone,mobile,cell,cellphone,call,calling,called,dial,dialing,reach,
        reached,contact,text me,texted,message to,messages to,texts to,mensagem para,
        mensagens para,mensagem no,fax,voicemail,answering,hotline,landline,my number,
        his number,her number,your number,new number,ring,ph,
        telefono,movil,llamar,portable,handy,telefonnummer,rufnummer""",
    "beside_phone": "office,home,work,mobile,cell,fax,casa,trabalho,escritorio,comercial",
    "cpf": "cpf,cpfs,pessoa fisica,documento,doc,titular,contribuinte,receita federal",
    "cnpj": "cnpj,cnpjs,pessoa juridica,documento,razao social",
    "rg": "rg,identidade,registro geral,identity card,ssp",
    "cnh": "cnh,habilitacao,motorista,condutor,driver license,drivers license",
    "pis": "pis,pasep,nis,nit,fgts,inss,cadunico,cadastro unico,abono salarial,bolsa familia",
    "voter_id": "titulo de eleitor,titulo eleitoral,titulo eleitor,titulo,eleitor,eleitoral",
    "cns": "cns,sus,cartao sus,cartao do sus,cartao nacional,cartao de saude",
    "cep": "cep,codigo postal,ceps",
    "address": """rua,avenida,av,travessa,alameda,estrada,rodovia,praca,largo,bairro,endereco,
        endereco de entrega,moro,resido,residencia,residente,logradouro,quadra,conjunto""",
    "pix": "pix,chave pix,chave aleatoria,chave do pix",
    "plate": """placa,placas,veiculo,carro,moto,automovel,caminhao,license plate,number plate,
        plate,matricula do carro""",
    "card": """cartao,cartoes,cartao de credito,cartao de debito,credito,debito,card,cards,credit,
        debit,credit card,visa,mastercard,master,amex,american express,elo,hipercard,cc,cvv,cvc,
        validade,card number,tarjeta,carte""",
    "ssn": "ssn,ssns,social security,social,itin",
    "ip": "ip,ips,ipv,endereco,address,host,server,servidor,login,acesso,firewall,rede,conexao",
    "mac": "mac,endereco fisico,physical address,mac address",
    "birth_date": """nascimento,nasc,nasci,nasceu,nascido,nascida,nascidos,aniversario,
        data de nascimento,data de nasc,dn,dob,born,birth,birthday,birthdate,date of birth,
        nacimiento,geboren,geburtsdatum""",
    "vat": "vat,iva,nif,nipc,contribuinte,ust,ustid,btw,tva,vies,partita,piva,umsatzsteuer",
    "pt_nif": "nif,contribuinte,numero fiscal,identificacao fiscal",
    "pt_cc": "cartao de cidadao,cartao do cidadao,cartao cidadao,cc,bilhete de identidade",
    "fr_nir": "nir,securite sociale,securite,insee,secu",
    "de_idnr": "idnr,steuer,steuer id,steuerid,steueridentifikationsnummer,steuernummer,tax id,tin",
    "nl_bsn": "bsn,burgerservicenummer,sofinummer,sofi",
    "be_nn": "rijksregister,rijksregisternummer,registre national,numero national,niss,insz",
    "pl_pesel": "pesel",
    OTHER_FAMILY: """
        pedido,pedidos,order,orders,ordem,protocolo,protocolos,protocol,chamado,chamados,
        ticket,tickets,nota,notas,nota fiscal,nf,nfe,fatura,faturas,invoice,invoices,boleto,boletos,
        codigo,codigos,cod,code,codes,codigo de barras,barras,barcode,digitavel,sku,ref,referencia,
        reference,rastreio,rastreamento,rastrear,tracking,objeto,versao,version,versions,build,
        firmware,release,lote,lot,batch,serie,serial,matricula,processo,processos,autos,contrato,
        contract,cupom,voucher,vale,item,itens,items,peca,modelo,model,produto,product,part,ean,
        gtin,upc,isbn,issn,imei,id,ids,uuid,os,solicitacao,requisicao,request,transacao,transaction,
        hash,commit,sha,sessao,session,trace,compra,encomenda,shipment,package,purchase,valor,valores,
        preco,price,total,apolice,policy,sinistro,case,caso,registro,record,clausula,section,secao,
        artigo,article,capitulo,chapter,pagina,page,account,invoice number,order number,
        processador,chip,kernel,contact form,contact id,placa de video,placa mae,placa de rede,
        placa de som,placa solar,placa grafica,
        numero de serie,confirmation,booking,reserva,localizador,nsu,autorizacao,
        inscricao estadual,inscricao municipal,renavam,chassi""",
}


LABELS: dict[str, set[str]] = {}  # the families of each word or phrase
for _family, _phrases in _FAMILIES.items():
    for _phrase in _phrases.split(","):
        LABELS.setdefault(" ".join(_phrase.split()), set()).add(_family)
FIRST_WORDS = frozenset(phrase.partition(" ")[0] for phrase in LABELS)
